"""Corrections: which lines can be used, which plays they fit, and what becomes of these."""

from __future__ import annotations

import csv
import datetime as dt
import io
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from pyspark.sql import DataFrame, SparkSession

from lakehouse.storage.ledger import INGESTION_STATE
from music.corrections import REMEDIES
from tests.frames import collect, frame
from tests.silver.rows import FACTS, HISTORY, INGESTED_AT, build, history
from tests.validators.test_reconciliation import ledger

FIELDS = "action,kind,from_artist,from_title,from_album,to_artist,to_title,to_album,played_at,until,note"
EVERYONE = "_everyone"
FIRST = "2024-03-01T09:58:00Z"
PERIOD = f"{FIRST},2024-03-01T09:59:00Z"


def path_of(owner: str) -> str:
    return f"{owner}/corrections.csv" if owner == EVERYONE else f"listeners/{owner}/corrections.csv"


def given(spark: SparkSession, lines: Mapping[str, Sequence[str]], rows: Sequence[Mapping[str, Any]]) -> dict[str, DataFrame]:
    """Upstream tables: lines of corrections.csv by owner, and rows of the history."""
    files, read = [], []
    for owner, text in lines.items():
        known = {"source": "corrections", "target": "corrections", "status": "ingested", "is_present": True, "run_id": "run"}
        files.append({"file_hash": f"corrections of {owner}", "path": path_of(owner), "listener": owner, **known})
        for number, line in enumerate(csv.DictReader(io.StringIO("\n".join([FIELDS, *text]))), start=1):
            surplus = ",".join(line.get(None, [])) or None
            names = {name: value or None for name, value in line.items() if name in FIELDS.split(",")}
            origin = {
                "file_hash": f"corrections of {owner}",
                "row_number": number,
                "line": number + 1,
                "file_name": path_of(owner),
            }
            read.append(
                {**names, **origin, "surplus": surplus, "source": "corrections", "_batch_id": "run", "_ingested_at": INGESTED_AT}
            )
    return {
        "bronze.corrections": frame(spark, "bronze.corrections", read),
        INGESTION_STATE.name: ledger(spark, INGESTION_STATE, *files),
        HISTORY: frame(spark, HISTORY, rows),
    }


def corrected(
    spark: SparkSession, lines: Mapping[str, Sequence[str]], rows: Sequence[Mapping[str, Any]], table: str = "silver.plays"
) -> list[dict[str, Any]]:
    built = build(spark, table, given(spark, lines, rows), source_facts=FACTS)
    return sorted(collect(table, built), key=lambda row: (row["row_number"], str(row)))


def play(number: int, artist: str, title: str, **changes: Any) -> dict[str, Any]:
    """A play of its own minute: the first one starts at FIRST."""
    ts = f"2024-03-01T{10 + number // 60:02d}:{number % 60:02d}:00Z"
    return history(number, ts, artist_name=artist, track_name=title, **changes)


# By listener: the lines, and the plays.
HISTORIES: dict[str, tuple[list[str], list[dict[str, Any]]]] = {
    "names": (
        ["rename,artist,bjork ,,,Björk,,,,,", "merge,recording,x,the song,,Y,The Song!,,,,", "rename,album,Z,,old,,,New,,,"],
        [
            play(1, "BJORK", "Hunter"),
            play(2, "X", "The Song - Remastered 2009"),
            play(3, "Z", "T", album_name="Old"),
            play(4, "Q", "T", album_name="Old"),
        ],
    ),
    "joined": (["merge,artist,Beatls,,,The Beatles,,,,,"], [play(1, "The Beatles", "Help"), play(2, "beatls", "Help")]),
    "chained": (
        ["rename,artist,A,,,B,,,,,", "rename,artist,B,,,C,,,,,", "exclude,recording,A,T,,,,,,,"],
        [play(1, "A", "T"), play(2, "B", "T")],
    ),
    "own": (["rename,artist,All,,,Own,,,,,"], [play(1, "All", "T")]),
    "others": ([], [play(1, "All", "U")]),
    "moved": (
        [f"move,play,,,,,,,{FIRST},2023-12-24T20:00:00Z,", "rename,artist,A,,,B,,,,,"],
        [play(1, "A", "T"), play(2, "A", "T2")],
    ),
    "period": ([f"exclude,play,,,,,,,{PERIOD},"], [play(1, "A", "T"), play(2, "A", "T2")]),
    "artist": ([f"exclude,artist,A,,,,,,{PERIOD},"], [play(1, "A", "T"), play(2, "A", "T2")]),
    "second": ([f"exclude,play,a,t,,,,,{FIRST},,"], [play(1, "A", "T"), play(2, "A", "T2")]),
    "twice": (
        ["rename,recording,A,T,,A,Other,,,,", f"move,play,,,,,,,{FIRST},2024-01-01T00:00:00Z,"],
        [play(1, "A", "T"), play(1, "A", "T", file_hash="f" * 64, platform="ios")],
    ),
    "split": (
        ["split,artist,Lady A & Queen B,,,Lady A; Queen B,,,,,"],
        [play(1, "Lady A & Queen B", "T"), play(2, "Queen B", "U")],
    ),
    "nothing": ([], [play(1, "A", "T")]),
}
Rows = Mapping[str, list[dict[str, Any]]]


@pytest.fixture(scope="module")
def by_listener(spark: SparkSession) -> Rows:
    """The rows of silver.plays of each listener; everybody's lines rename the artist All."""
    lines = {name: text for name, (text, _) in HISTORIES.items() if text} | {EVERYONE: ["rename,artist,All,,,Everyone's,,,,,"]}
    plays = [
        one | {"user_id": name, "file_hash": f"{name}{one['file_hash']}"[:64]}
        for name, (_, rows) in HISTORIES.items()
        for one in rows
    ]
    found = corrected(spark, lines, plays)
    return {name: [row for row in found if row["user_id"] == name] for name in HISTORIES}


PROBLEMS = [
    ("merge,artist,A,,,B,,,,,a note,with a comma", "surplus_cells"),
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
    rows = corrected(spark, {"me": [line for line, _ in PROBLEMS]}, [history(1)], table="silver.correction_lines")
    assert [row["problem"] for row in rows] == [problem for _, problem in PROBLEMS]
    assert {problem for _, problem in PROBLEMS} == {None, *REMEDIES}
    assert [row["match_key"] is None for row in rows] == [problem is not None for _, problem in PROBLEMS]


def test_names_are_matched_folded_and_shown_as_the_line_has_them(by_listener: Rows) -> None:
    rows = by_listener["names"]
    assert [(row["artist_name"], row["track_name"], row["album_name"]) for row in rows] == [
        ("Björk", "Hunter", None),
        ("Y", "The Song!", None),
        ("Z", "T", "New"),
        ("Q", "T", "Old"),
    ]
    path = path_of("names")
    assert [row["corrected_by"] for row in rows] == [f"{path}:2", f"{path}:3", f"{path}:4", None]
    other = [row["track_id"] != row["played_track_id"] for row in rows]
    assert other == [True, True, False, False], "only another recording is another track"


def test_what_a_correction_joins_has_one_key(by_listener: Rows) -> None:
    assert len({(row["artist_key"], row["track_id"]) for row in by_listener["joined"]}) == 1


def test_the_first_line_that_fits_counts_and_lines_do_not_chain(by_listener: Rows) -> None:
    assert [(row["artist_name"], row["is_excluded"]) for row in by_listener["chained"]] == [("B", False), ("C", False)]


def test_a_listener_s_own_lines_come_before_everybody_s(by_listener: Rows) -> None:
    assert [row["artist_name"] for name in ("own", "others") for row in by_listener[name]] == ["Own", "Everyone's"]


def test_a_move_changes_the_time_alone_and_goes_with_a_rename(by_listener: Rows) -> None:
    rows = by_listener["moved"]
    assert [row["played_at"] for row in rows] == [dt.datetime(2023, 12, 24, 20), dt.datetime(2024, 3, 1, 9, 59)]
    assert [row["ended_at"] - row["played_at"] for row in rows] == [dt.timedelta(minutes=3)] * 2
    assert [row["artist_name"] for row in rows] == ["B", "B"]


@pytest.mark.parametrize("name", ["period", "artist", "second"])
def test_an_exclusion_marks_the_plays_of_a_period_and_keeps_them(by_listener: Rows, name: str) -> None:
    assert [(row["disposition"], row["is_excluded"]) for row in by_listener[name]] == [("kept", True), ("kept", False)]


def test_duplicates_are_found_by_what_the_sources_say(by_listener: Rows) -> None:
    assert sorted(row["disposition"] for row in by_listener["twice"]) == ["duplicate", "kept"]


def test_a_split_credit_names_every_artist(by_listener: Rows) -> None:
    split, other = by_listener["split"]
    assert (split["artist_name"], split["further_artists"]) == ("Lady A", ["Queen B"])
    assert split["further_artist_keys"] == [other["artist_key"]]
    assert other["further_artists"] == []


def test_without_lines_nothing_changes(by_listener: Rows) -> None:
    [row] = by_listener["nothing"]
    assert (row["artist_name"], row["track_name"], row["album_name"]) == ("A", "T", None)
    assert (row["corrected_by"], row["is_excluded"], row["track_id"]) == (None, False, row["played_track_id"])
