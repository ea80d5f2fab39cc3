"""Metadata files in the inbox: their rows reach the bronze tables, the newest answer counts, and a rerun does nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.end_to_end.pipeline import Pipeline, assert_same_content, export_row, kaggle_csv
from tests.polling.metadata_files import lastfm_similar, lastfm_tags, listenbrainz_similar, metadata_file, spotify_track

ONLY = ("--only", "bronze")


@pytest.fixture
def pipeline(tmp_path: Path) -> Pipeline:
    return Pipeline(tmp_path)


def put(pipeline: Pipeline, name: str, content: bytes) -> None:
    path = pipeline.landing / "_api" / "metadata" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def test_similar_artists_and_tags_of_the_newest_answer(pipeline: Pipeline) -> None:
    vega = {"artist_name": "Vega"}
    first = [(vega, lastfm_similar(("Old", "1"), ("Lyra", "0.5"))), ({"artist_name": "Nobody"}, None)]
    put(pipeline, "1.json", metadata_file("lastfm_api", "similar_artists", first))
    put(pipeline, "2.json", metadata_file("lastfm_api", "artist_tags", [(vega, lastfm_tags(("Ambient", 100), ("ambient", 7)))]))
    brainz = [({"artist_name": "VEGA", "artist_mbid": "m1"}, listenbrainz_similar(("Lyra", 800), ("Deneb", 200), ("Vega", 9)))]
    put(pipeline, "3.json", metadata_file("listenbrainz_api", "similar_artists", brainz))
    assert pipeline.run(*ONLY).code == 0
    similar = pipeline.rows("bronze.similar_artists")
    assert {
        (row["source"], row["artist_name"], row["similar_artist_name"], row["score"], row["scaled_score"]) for row in similar
    } == {
        ("lastfm_api", "Vega", "Old", 1.0, 1.0),
        ("lastfm_api", "Vega", "Lyra", 0.5, 0.5),
        ("listenbrainz_api", "VEGA", "Lyra", 800.0, 1.0),
        ("listenbrainz_api", "VEGA", "Deneb", 200.0, 0.25),
    }
    assert len({row["artist_key"] for row in similar}) == 1
    assert [(row["tag"], row["count"]) for row in pipeline.rows("bronze.artist_tags")] == [("ambient", 100.0)]

    newer = metadata_file("lastfm_api", "similar_artists", [(vega, lastfm_similar(("Lyra", "0.8")))], "2027-03-01T00:00:00Z")
    put(pipeline, "4.json", newer)
    assert pipeline.run(*ONLY).code == 0
    of_lastfm = [row for row in pipeline.rows("bronze.similar_artists") if row["source"] == "lastfm_api"]
    assert [(row["similar_artist_name"], row["score"], row["scaled_score"]) for row in of_lastfm] == [("Lyra", 0.8, 1.0)]


def silver(content: dict[str, list[dict[str, Any]]]) -> dict[str, list[dict[str, Any]]]:
    return {table: rows for table, rows in content.items() if table.startswith("silver.")}


def tracks(*answers: tuple[int, object]) -> bytes:
    """A file of answers about tracks, by number."""
    return metadata_file("spotify_api", "track", [({"id": f"{number:022d}"}, answer) for number, answer in answers])


def test_two_ids_of_one_isrc_are_one_recording_and_ids_of_their_names_too(pipeline: Pipeline) -> None:
    title, artist = "master_metadata_track_name", "master_metadata_album_artist_name"
    names = [("Tide", "Vega"), ("Прилив", "Вега"), ("Tide", "Vega"), ("Other", "Vega")]
    rows = [
        export_row(f"2024-01-{number:02d}T10:00:00Z", number, **{title: name, artist: by})
        for number, (name, by) in enumerate(names, start=1)
    ]
    pipeline.write("Streaming_History_Audio_1.json", rows)
    pipeline.write("catalogue.csv", kaggle_csv({"track_id": f"{9:022d}", "track_name": "Прилив", "artists": "Вега"}))
    pipeline.build("--only", "silver", "--only", "bronze")
    before = pipeline.content()
    assert sorted(row["ids"] for row in pipeline.rows("silver.recordings")) == [1, 2, 2]

    put(pipeline, "1.json", tracks((1, spotify_track("ZZ-X01-24-00001")), (4, spotify_track(None))))
    pipeline.build("--only", "silver", "--only", "bronze")
    metadata = {row["track_id"]: row for row in pipeline.rows("bronze.track_metadata")}
    first = metadata[f"{1:022d}"]
    told = ("isrc", "release_date", "release_year", "artist_names", "album_name", "duration_ms")
    assert [first[name] for name in told] == ["ZZX012400001", "2024-03-01", 2024, ["Vega", "Guest"], "North", 180_000]
    assert metadata[f"{4:022d}"]["isrc"] is None
    assert_same_content(silver(pipeline.content()), silver(before))

    put(pipeline, "2.json", tracks((2, spotify_track("zzx012400001")), (3, None)))
    pipeline.build("--only", "silver", "--only", "bronze")
    assert len(pipeline.rows("bronze.track_metadata")) == 3
    assert sorted(row["ids"] for row in pipeline.rows("silver.recordings")) == [1, 4]
    assert len(pipeline.rows("silver.heard_recordings")) == 2
    grown = pipeline.content()
    answer = pipeline.build("--only", "silver", "--only", "bronze")
    assert answer.document["outcomes"] == []
    pipeline.build("--only", "silver", "--only", "bronze", "--full")
    assert_same_content(pipeline.content(), grown)
