"""dislikes.csv from the landing folder to silver: whose it is, and what an edit, a copy and its absence change."""

from __future__ import annotations

from typing import Any

from tests.end_to_end.pipeline import Pipeline, days, kaggle_csv, track_uri

CATALOGUE = kaggle_csv(*[{"track_id": f"{n:022d}", "track_name": f"Track {n}", "artists": f"Artist {n}"} for n in range(1, 5)])
ONLY = ("--only", "silver.dislikes")


def disliked(pipeline: Pipeline) -> list[tuple[Any, ...]]:
    return [(row["user_id"], int(row["track_id"]), row["reason"]) for row in pipeline.rows("silver.dislikes")]


def test_dislikes_of_two_listeners_from_landing_to_silver(pipeline: Pipeline) -> None:
    pipeline.write("dataset.csv", CATALOGUE)
    pipeline.write("listeners/ann/a.json", days(3))
    pipeline.write("listeners/ann/dislikes.csv", f"track_id,artist,track\n{track_uri(1)},,\n,artist 2,TRACK 2\n,Artist 3,\n")
    pipeline.write("dislikes.csv", f"track_id\n{track_uri(4)}\noops\n")
    answer = pipeline.build(*ONLY)
    assert disliked(pipeline) == [("ann", 1, "track"), ("ann", 2, "track"), ("ann", 3, "artist"), ("me", 4, "track")]
    bad = [row for row in pipeline.rows("silver.dislike_entries") if row["disposition"] != "kept"]
    assert [(row["user_id"], row["row_number"], row["reason"], row["told"]) for row in bad] == [
        ("me", 2, "not_a_track_id", "oops")
    ]
    assert {row["is_balanced"] for row in answer.document["reconciliation"]} <= {True}
    assert len(pipeline.rows("bronze.dislike_rows")) == 5
    versions = pipeline.versions()
    assert pipeline.build(*ONLY).document["outcomes"] == []
    assert pipeline.versions() == versions


def test_an_edit_replaces_what_the_file_said(pipeline: Pipeline) -> None:
    pipeline.write("dataset.csv", CATALOGUE)
    first = f"track_id\n{track_uri(1)}\n{track_uri(2)}\n"
    path = pipeline.write("listeners/ann/dislikes.csv", first)
    pipeline.write("listeners/bob/dislikes.csv", first)
    pipeline.build(*ONLY)
    assert disliked(pipeline) == [(user, n, "track") for user in ("ann", "bob") for n in (1, 2)]

    pipeline.write("listeners/ann/dislikes.csv", f"track_id\n{track_uri(3)}\n")
    pipeline.build(*ONLY)
    assert disliked(pipeline) == [("ann", 3, "track"), ("bob", 1, "track"), ("bob", 2, "track")]
    assert len(pipeline.rows("bronze.dislike_rows")) == 3, "bronze keeps what it read"

    pipeline.write("listeners/ann/dislikes.csv", first)
    pipeline.build(*ONLY)
    assert disliked(pipeline) == [(user, n, "track") for user in ("ann", "bob") for n in (1, 2)], "edited back"

    path.unlink()
    pipeline.write("listeners/bob/dislikes.csv", "track_id\n")
    pipeline.build(*ONLY)
    assert disliked(pipeline) == [("ann", 1, "track"), ("ann", 2, "track")], "vanished is kept, emptied is not"


def test_a_copy_for_another_listener_is_no_problem_and_a_broken_edit_changes_nothing(pipeline: Pipeline) -> None:
    pipeline.write("dataset.csv", CATALOGUE)
    for user in ("ann", "bob"):
        pipeline.write(f"listeners/{user}/dislikes.csv", "artist,track\nArtist 1,\n")
    assert pipeline.build(*ONLY).document["problems"] == []
    pipeline.write("listeners/ann/dislikes.csv", "artist,track\nArtist 1,Track 1,too,many\n")
    answer = pipeline.run(*ONLY)
    assert answer.code == 1
    assert [(f["path"], f["status"]) for f in answer.document["problems"]] == [("listeners/ann/dislikes.csv", "broken")]
    assert disliked(pipeline) == [("ann", 1, "artist"), ("bob", 1, "artist")]
