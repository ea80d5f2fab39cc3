"""Metadata files in the inbox: their rows reach the bronze tables, the newest answer counts, and a rerun does nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.end_to_end.pipeline import Pipeline
from tests.polling.metadata_files import lastfm_similar, lastfm_tags, listenbrainz_similar, metadata_file

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
