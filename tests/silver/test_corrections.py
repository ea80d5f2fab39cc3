"""Corrections: which lines can be used, which plays they fit, and what becomes of these."""

from __future__ import annotations

import csv
import datetime as dt
import io
from collections.abc import Mapping, Sequence
from typing import Any

from pyspark.sql import DataFrame, SparkSession

from lakehouse.storage.ledger import INGESTION_STATE
from music.corrections import REMEDIES
from tests.frames import collect, frame
from tests.silver.rows import FACTS, HISTORY, INGESTED_AT, build, history
from tests.validators.test_reconciliation import ledger

FIELDS = "action,kind,from_artist,from_title,from_album,to_artist,to_title,to_album,played_at,until,note"
PATHS = {"me": "corrections.csv", "ann": "listeners/ann/corrections.csv", "_everyone": "_everyone/corrections.csv"}


def given(spark: SparkSession, lines: Mapping[str, Sequence[str]], rows: Sequence[Mapping[str, Any]]) -> dict[str, DataFrame]:
    """Upstream tables: lines of corrections.csv by owner, and rows of the history."""
    files, read = [], []
    for owner, text in lines.items():
        known = {"source": "corrections", "target": "corrections", "status": "ingested", "is_present": True, "run_id": "run"}
        files.append({"file_hash": f"corrections of {owner}", "path": PATHS[owner], "listener": owner, **known})
        for number, line in enumerate(csv.DictReader(io.StringIO("\n".join([FIELDS, *text]))), start=1):
            names = {name: value or None for name, value in line.items() if name in FIELDS.split(",")}
            origin = {"file_hash": f"corrections of {owner}", "row_number": number, "file_name": PATHS[owner]}
            read.append({**names, **origin, "source": "corrections", "_batch_id": "run", "_ingested_at": INGESTED_AT})
    return {
        "bronze.corrections": frame(spark, "bronze.corrections", read),
        INGESTION_STATE.name: ledger(spark, INGESTION_STATE, *files),
        HISTORY: frame(spark, HISTORY, rows),
    }


def corrected(
    spark: SparkSession, lines: Mapping[str, Sequence[str]], *rows: Mapping[str, Any], table: str = "silver.plays"
) -> list[dict[str, Any]]:
    built = build(spark, table, given(spark, lines, rows), source_facts=FACTS)
    return sorted(collect(table, built), key=lambda row: (row.get("row_number", 0), str(row)))


def play(number: int, artist: str, title: str, **changes: Any) -> dict[str, Any]:
    """A play of its own minute."""
    return history(
        number, f"2024-03-01T{10 + number // 60:02d}:{number % 60:02d}:00Z", artist_name=artist, track_name=title, **changes
    )


def names(row: Mapping[str, Any]) -> tuple[Any, ...]:
    return row["artist_name"], row["track_name"], row["album_name"]


PROBLEMS = [
    ("mrege,artist,A,,,B,,,,,", "unknown_action"),
    (",artist,A,,,B,,,,,", "unknown_action"),
    ("merge,song,A,,,B,,,,,", "unknown_kind"),
    ("merge,play,A,,,B,,,2024-01-01T00:00:00Z,,", "unsuited_kind"),
    ("split,recording,A,T,,B; C,,,,,", "unsuited_kind"),
    ("move,artist,A,,,,,,2024-01-01T00:00:00Z,2024-01-02T00:00:00Z,", "unsuited_kind"),
    ("rename,artist,,,,B,,,,,", "lacks_from"),
    ("rename,album,A,,,B,,,,,", "lacks_from"),
    ("exclude,recording,A,,,,,,,,", "lacks_from"),
    ("rename,artist,A,,,,New title,,,,", "lacks_to"),
    ("merge,recording,A,T,,,,,,,", "lacks_to"),
    ("split,artist,A & B,,,A,,,,,", "lacks_artists"),
    ("split,artist,A & B,,,A;;,,,,,", "lacks_artists"),
    ("exclude,play,A,T,,,,,,,", "lacks_time"),
    ("move,play,A,T,,,,,2024-01-01T00:00:00Z,,", "lacks_time"),
    ("exclude,play,A,T,,,,,yesterday,,", "unreadable_time"),
    ("exclude,artist,A,,,,,,2024-01-02T00:00:00Z,2024-01-01T00:00:00Z,", "empty_period"),
    ("MERGE, Artist ,A,,,B,,,,,with case and blanks", None),
    ("split,artist,A & B,,,A;B,,,,,", None),
    ("exclude,artist,A,,,,,,2024-01-01,2024-01-02,dates alone are no times", "unreadable_time"),
    ("exclude,album,A,,X,,,,2024-01-01 00:00,,", None),
]


def test_a_line_that_cannot_be_used_says_why(spark: SparkSession) -> None:
    rows = corrected(spark, {"me": [line for line, _ in PROBLEMS]}, history(1), table="silver.correction_lines")
    assert [row["problem"] for row in rows] == [problem for _, problem in PROBLEMS]
    assert {problem for _, problem in PROBLEMS} == {None, *REMEDIES}
    assert [row["match_key"] is None for row in rows] == [problem is not None for _, problem in PROBLEMS]


def test_names_are_matched_folded_and_shown_as_the_line_has_them(spark: SparkSession) -> None:
    lines = {
        "me": ["rename,artist,bjork ,,,Björk,,,,,", "merge,recording,x,the song,,Y,The Song!,,,,", "rename,album,Z,,old,,,New,,,"]
    }
    rows = corrected(
        spark,
        lines,
        play(1, "BJORK", "Hunter"),
        play(2, "X", "The Song - Remastered 2009"),
        play(3, "Z", "T", album_name="Old"),
        play(4, "Q", "T", album_name="Old"),
    )
    assert [names(row) for row in rows] == [
        ("Björk", "Hunter", None),
        ("Y", "The Song!", None),
        ("Z", "T", "New"),
        ("Q", "T", "Old"),
    ]
    assert [row["corrected_by"] for row in rows] == ["corrections.csv:1", "corrections.csv:2", "corrections.csv:3", None]
    other = [row["track_id"] != row["played_track_id"] for row in rows]
    assert other == [True, True, False, False], "only another recording is another track"


def test_what_a_correction_joins_has_one_key(spark: SparkSession) -> None:
    rows = corrected(
        spark, {"me": ["merge,artist,Beatls,,,The Beatles,,,,,"]}, play(1, "The Beatles", "Help"), play(2, "beatls", "Help")
    )
    assert len({row["artist_key"] for row in rows}) == 1
    assert len({row["track_id"] for row in rows}) == 1


def test_the_first_line_that_fits_counts_and_lines_do_not_chain(spark: SparkSession) -> None:
    lines = {"me": ["rename,artist,A,,,B,,,,,", "rename,artist,B,,,C,,,,,", "exclude,recording,A,T,,,,,,,"]}
    rows = corrected(spark, lines, play(1, "A", "T"), play(2, "B", "T"))
    assert [(row["artist_name"], row["is_excluded"]) for row in rows] == [("B", False), ("C", False)]


def test_a_listener_s_own_lines_come_before_everybody_s(spark: SparkSession) -> None:
    lines = {"_everyone": ["rename,artist,A,,,All,,,,,"], "ann": ["rename,artist,A,,,Ann,,,,,"]}
    rows = corrected(spark, lines, play(1, "A", "T"), play(2, "A", "T", user_id="ann"), play(3, "A", "U", user_id="bob"))
    assert [row["artist_name"] for row in rows] == ["All", "Ann", "All"]


def test_a_move_changes_the_time_alone_and_goes_with_a_rename(spark: SparkSession) -> None:
    start = "2024-03-01T09:58:00Z"
    lines = {"me": [f"move,play,,,,,,,{start},2023-12-24T20:00:00Z,", "rename,artist,A,,,B,,,,,"]}
    rows = corrected(spark, lines, play(1, "A", "T"), play(2, "A", "T2"))
    assert [row["played_at"] for row in rows] == [
        dt.datetime(2023, 12, 24, 20),
        dt.datetime(2024, 3, 1, 9, 59),
    ]
    assert [row["ended_at"] - row["played_at"] for row in rows] == [dt.timedelta(minutes=3)] * 2
    assert [row["artist_name"] for row in rows] == ["B", "B"]


def test_an_exclusion_marks_the_plays_of_a_period_and_keeps_them(spark: SparkSession) -> None:
    period = "2024-03-01T09:58:00Z,2024-03-01T09:59:00Z"
    for line in (f"exclude,play,,,,,,,{period},", f"exclude,artist,A,,,,,,{period},", f"exclude,play,a,t,,,,,{period[:20]},,"):
        rows = corrected(spark, {"me": [line]}, play(1, "A", "T"), play(2, "A", "T2"))
        assert [(row["disposition"], row["is_excluded"]) for row in rows] == [("kept", True), ("kept", False)], line


def test_duplicates_are_found_by_what_the_sources_say(spark: SparkSession) -> None:
    same = {"track_uri": f"spotify:track:{1:022d}"}
    rows = corrected(
        spark,
        {"me": ["rename,recording,A,T,,A,Other,,,,", "move,play,,,,,,,2024-03-01T09:58:00Z,2024-01-01T00:00:00Z,"]},
        play(1, "A", "T", **same),
        play(1, "A", "T", **same, file_hash="f" * 64, platform="ios"),
    )
    assert sorted(row["disposition"] for row in rows) == ["duplicate", "kept"]


def test_a_split_credit_names_every_artist(spark: SparkSession) -> None:
    rows = corrected(
        spark,
        {"me": ["split,artist,Lady A & Queen B,,,Lady A; Queen B,,,,,"]},
        play(1, "Lady A & Queen B", "T"),
        play(2, "Queen B", "U"),
    )
    assert rows[0]["artist_name"] == "Lady A"
    assert rows[0]["further_artists"] == ["Queen B"]
    assert rows[0]["further_artist_keys"] == [rows[1]["artist_key"]]
    assert rows[1]["further_artists"] == []


def test_without_lines_nothing_changes(spark: SparkSession) -> None:
    rows = corrected(spark, {}, play(1, "A", "T"))
    assert names(rows[0]) == ("A", "T", None)
    assert (rows[0]["corrected_by"], rows[0]["is_excluded"], rows[0]["track_id"]) == (None, False, rows[0]["played_track_id"])
