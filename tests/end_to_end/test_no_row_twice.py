"""The same plays by several ways into the landing folder are kept once."""

from __future__ import annotations

import io
import json
import zipfile
from typing import Any

from tests.end_to_end.pipeline import Pipeline, days, export_row

PLAYS = days(10)


def kept(pipeline: Pipeline) -> list[dict[str, Any]]:
    return pipeline.rows("silver.plays", "play_id", "played_at", "track_id", disposition="kept")


def run(pipeline: Pipeline) -> None:
    pipeline.build("--only", "silver.plays", "--only", "ops.reconciliation")


def alone(pipeline: Pipeline, content: Any) -> list[dict[str, Any]]:
    """What is kept of that content in a folder of its own."""
    other = Pipeline(pipeline.root.parent / "alone")
    other.write("history.json", content)
    run(other)
    return kept(other)


def zipped(*members: tuple[str, str]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in members:
            archive.writestr(name, content)
    return buffer.getvalue()


def test_the_same_file_twice_under_another_name_and_inside_a_zip_is_read_once(pipeline: Pipeline) -> None:
    content = json.dumps(PLAYS)
    pipeline.write("a.json", content)
    pipeline.write("copy of a (1).json", content)
    pipeline.write("older/endsong_0.json", content)
    pipeline.write("my_spotify_data.zip", zipped(("Streaming_History_Audio_1.json", content)))
    run(pipeline)
    assert len(kept(pipeline)) == 20
    assert len(pipeline.rows("bronze.listening_history")) == 20
    states = {row["path"]: row["status"] for row in pipeline.rows("ops.ingestion_state")}
    assert sorted(states.values()) == ["duplicate", "duplicate", "duplicate", "ingested"]


def test_a_renamed_file_is_not_read_again(pipeline: Pipeline) -> None:
    path = pipeline.write("a.json", PLAYS)
    run(pipeline)
    versions = pipeline.versions()
    path.rename(path.with_name("b.json"))
    again = pipeline.run("--only", "silver.plays")
    assert (again.code, again.document["new_files"]) == (0, [])
    assert pipeline.versions() == versions


def test_a_file_that_vanishes_leaves_its_plays(pipeline: Pipeline) -> None:
    path = pipeline.write("a.json", PLAYS)
    run(pipeline)
    path.unlink()
    run(pipeline)
    assert len(kept(pipeline)) == 20
    assert [row["is_present"] for row in pipeline.rows("ops.ingestion_state")] == [False]


def test_an_export_that_overlaps_an_older_one_adds_only_what_is_new(pipeline: Pipeline) -> None:
    pipeline.write("old.json", PLAYS[:14])
    run(pipeline)
    pipeline.write("new.json", PLAYS[6:])
    run(pipeline)
    assert kept(pipeline) == alone(pipeline, PLAYS)
    assert len(pipeline.rows("silver.plays", "row_number", disposition="duplicate")) == 8


def test_rows_of_one_second_and_track_are_one_play_whatever_their_other_fields(pipeline: Pipeline) -> None:
    end = "2024-01-01T10:00:00Z"
    pipeline.write("a.json", [export_row(end), export_row(end, ms_played=179_999, platform="android"), export_row(end, 2)])
    run(pipeline)
    assert len(kept(pipeline)) == 2


def test_identical_rows_of_one_file_are_kept_once(pipeline: Pipeline) -> None:
    pipeline.write("a.json", [*PLAYS, PLAYS[0], PLAYS[0]])
    run(pipeline)
    assert kept(pipeline) == alone(pipeline, PLAYS)


def test_the_same_play_of_two_listeners_is_kept_for_both(pipeline: Pipeline) -> None:
    pipeline.write("listeners/ann/a.json", [*PLAYS, export_row("2024-02-01T10:00:00Z", 9)])
    pipeline.write("listeners/bob/a.json", PLAYS)
    run(pipeline)
    assert len(pipeline.rows("silver.plays", "play_id", disposition="kept", user_id="ann")) == 21
    assert len(pipeline.rows("silver.plays", "play_id", disposition="kept", user_id="bob")) == 20


def test_account_data_of_the_same_plays_adds_none(pipeline: Pipeline) -> None:
    pipeline.write("extended.json", PLAYS)
    short = [
        {
            "endTime": row["ts"][:16].replace("T", " "),
            "artistName": row["master_metadata_album_artist_name"],
            "trackName": row["master_metadata_track_name"],
            "msPlayed": row["ms_played"],
        }
        for row in PLAYS
    ]
    extra = {"endTime": "2024-03-01 10:00", "artistName": "Artist 1", "trackName": "Another", "msPlayed": 60_000}
    pipeline.write("StreamingHistory_music_0.json", [*short, extra])
    run(pipeline)
    found = pipeline.rows("silver.plays", "source_kind", "sources", disposition="kept")
    assert sum(row["sources"] == ["account_data", "export"] for row in found) == 20
    assert [row for row in found if row["source_kind"] == "account_data"] == [
        {"source_kind": "account_data", "sources": ["account_data"]}
    ]
