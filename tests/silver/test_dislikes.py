"""Which tracks an entry means, which content of a file is in force, and what becomes of entries that mean nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pyspark.sql import DataFrame, SparkSession

from lakehouse.storage.ledger import INGESTION_STATE
from silver.dislike_entries import dislike_entries
from silver.dislikes import dislikes
from tests.frames import collect, frame
from tests.silver.rows import build
from tests.validators.test_reconciliation import ledger

SONG, OTHER, COVER, AGAIN, NEW = (f"{name:0<22}" for name in ("song", "other", "cover", "again", "new"))
LOCAL = "local:0123456789abcdef012345"
TRACKS = [
    {"track_id": SONG, "track_name": "Song", "artist_name": "Ann", "artists": ["Ann", "Bob"]},
    {"track_id": AGAIN, "track_name": " song ", "artist_name": "ANN", "artists": ["ANN"]},
    {"track_id": OTHER, "track_name": "Other", "artist_name": "Bob", "artists": ["Bob"]},
    {"track_id": COVER, "track_name": "Song", "artist_name": "Cleo", "artists": ["Cleo"]},
    {"track_id": LOCAL, "track_name": "Tape", "artist_name": None, "artists": []},
]
FILE = {"file_hash": "f1", "path": "dislikes.csv", "listener": "me", "target": "dislike_rows", "status": "ingested"}
PRESENT = FILE | {"is_present": True, "run_id": "1"}


def state(spark: SparkSession, *files: dict[str, Any]) -> DataFrame:
    """ops.ingestion_state of these files."""
    return ledger(spark, INGESTION_STATE, *files)


def names_of(spark: SparkSession, dislike_rows: DataFrame) -> DataFrame:
    """silver.names of the entries and of TRACKS."""
    listed = [{name: track[name] for name in ("track_id", "track_name", "artists")} for track in TRACKS]
    given = {
        "bronze.dislike_rows": dislike_rows,
        "silver.catalogue": frame(spark, "silver.catalogue", listed),
        "bronze.listening_history": frame(spark, "bronze.listening_history", []),
    }
    return build(spark, "silver.names", given)


def entries(
    spark: SparkSession, rows: Sequence[Mapping[str, Any]], *files: Mapping[str, Any]
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Rows of silver.dislike_entries and of silver.dislikes."""
    numbered = [{"file_hash": "f1", "row_number": number, "file_name": "x"} | row for number, row in enumerate(rows, start=1)]
    bronze, tracks = frame(spark, "bronze.dislike_rows", numbered), frame(spark, "silver.tracks", TRACKS)
    found = dislike_entries(bronze, state(spark, *[dict(file) for file in files or [PRESENT]]), tracks, names_of(spark, bronze))
    declared = collect("silver.dislike_entries", found)
    return declared, collect("silver.dislikes", dislikes(found))


def test_what_each_entry_means(spark: SparkSession) -> None:
    rows = {
        "id": ({"track_id": SONG}, "track", [AGAIN, SONG]),
        "uri": ({"track_id": f" spotify:track:{OTHER} "}, "track", [OTHER]),
        "link": ({"track_id": f"https://open.spotify.com/intl-de/track/{COVER}?si=x"}, "track", [COVER]),
        "local id": ({"track_id": LOCAL}, "track", [LOCAL]),
        "id that nobody knows yet": ({"track_id": NEW}, "track", [NEW]),
        "names": ({"artist": "ann", "track": "SONG"}, "track", [AGAIN, SONG]),
        "another credited artist": ({"artist": "Bob", "track": "song"}, "track", [SONG]),
        "artist": ({"artist": " bob"}, "artist", [OTHER, SONG]),
        "the id wins over names": ({"track_id": OTHER, "artist": "Cleo"}, "track", [OTHER]),
        "names stand in for a broken id": ({"track_id": "oops", "artist": "Cleo", "track": "Song"}, "track", [COVER]),
    }
    found, _ = entries(spark, [row for row, _, _ in rows.values()])
    by_number = sorted(found, key=lambda row: row["row_number"])
    assert {name: (e["kind"], e["track_ids"]) for name, e in zip(rows, by_number, strict=True)} == {
        name: (kind, ids) for name, (_, kind, ids) in rows.items()
    }
    assert {(e["disposition"], e["reason"], e["user_id"], e["file_name"]) for e in found} == {
        ("kept", None, "me", "dislikes.csv")
    }
    assert [e["told"] for e in by_number[5:8]] == ["ann - SONG", "Bob - song", "bob"]


def test_entries_that_mean_nothing_say_why(spark: SparkSession) -> None:
    rows = [
        {"track_id": "https://open.spotify.com/album/" + SONG},
        {"track": "Song"},
        {"track_id": " ", "artist": " "},
        {"artist": "Ann", "track": "Unheard"},
        {"artist": "Nobody"},
    ]
    found, disliked = entries(spark, rows)
    assert [(e["row_number"], e["disposition"], e["reason"], e["track_ids"]) for e in found] == [
        (1, "quarantined", "not_a_track_id", []),
        (2, "quarantined", "title_without_artist", []),
        (3, "quarantined", "empty_row", []),
        (4, "unmatched", "unknown_track", []),
        (5, "unmatched", "unknown_artist", []),
    ]
    assert disliked == []


def test_a_track_is_disliked_once_and_by_name_before_by_artist(spark: SparkSession) -> None:
    _, disliked = entries(spark, [{"artist": "Bob"}, {"track_id": SONG}, {"artist": "Ann", "track": "Song"}])
    assert [(d["track_id"], d["reason"], d["told"], d["entries"]) for d in disliked] == [
        (AGAIN, "track", SONG, 2),
        (OTHER, "artist", "Bob", 1),
        (SONG, "track", SONG, 3),
    ]


def in_force(spark: SparkSession, *files: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    rows = [{"track_id": track, "file_hash": f"f{n}"} for n, track in enumerate((SONG, OTHER, COVER), start=1)]
    found, _ = entries(spark, rows, *files)
    return [(e["user_id"], e["file_name"], e["file_hash"]) for e in found]


def test_the_content_that_lies_there_now_is_in_force(spark: SparkSession) -> None:
    second = PRESENT | {"file_hash": "f2", "run_id": "2"}
    gone = {"is_present": False}
    assert in_force(spark, PRESENT | gone, second) == [("me", "dislikes.csv", "f2")]
    assert in_force(spark, PRESENT, second | gone) == [("me", "dislikes.csv", "f1")], "edited back"
    assert in_force(spark, PRESENT | gone, second | gone) == [("me", "dislikes.csv", "f2")], "kept when it vanishes"
    unread = {"file_hash": "f3", "run_id": "3"}
    for status in ("broken", "waiting", "unknown"):
        state = PRESENT | unread | {"status": status}
        assert in_force(spark, PRESENT | gone, state) == [("me", "dislikes.csv", "f1")], f"nothing instead of a {status} file"


def test_the_same_content_counts_for_each_listener_and_a_moved_file_where_it_is(spark: SparkSession) -> None:
    of_bob = PRESENT | {"path": "listeners/bob/dislikes.csv", "listener": "bob", "status": "duplicate"}
    assert in_force(spark, PRESENT, of_bob) == [("bob", of_bob["path"], "f1"), ("me", "dislikes.csv", "f1")]
    assert in_force(spark, PRESENT | {"is_present": False}, of_bob) == [("bob", of_bob["path"], "f1")]
    history = PRESENT | {"path": "export.json", "target": "listening_history", "file_hash": "f2"}
    assert in_force(spark, history) == []


def test_no_files_and_no_tracks(spark: SparkSession) -> None:
    assert entries(spark, []) == ([], [])
    rows = frame(spark, "bronze.dislike_rows", [{"file_hash": "f1", "row_number": 1, "artist": "Ann", "track": "Song"}])
    found = dislike_entries(rows, state(spark, PRESENT), frame(spark, "silver.tracks", []), names_of(spark, rows))
    assert [e["reason"] for e in collect("silver.dislike_entries", found)] == ["unknown_track"]
