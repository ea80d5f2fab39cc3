"""What synthetic listeners hear changes no name, feature or figure that real listeners' plays and the catalogue give."""

from __future__ import annotations

from typing import Any

import pytest
from pyspark.sql import SparkSession

from silver.albums import albums
from silver.artists import artists
from silver.heard_tracks import heard_tracks
from tests.frames import collect
from tests.silver.rows import history, silver_plays
from tests.silver.test_feature_ladder import API, CATALOGUE, IDS, PLAYS, Ladder, heard

NAMELESS = {"track_id": "nameless", "track_name": None, "artists": [], "album_name": None, "genres": [], "popularity": 0}
MADE_UP = {"source": "synthetic", "source_kind": "synthetic", "user_id": "synthetic:000001", "ts": "2024-05-01T10:00:00Z"}


def synthetic(number: int, title: str, artist: str, name: str | None = None) -> dict[str, Any]:
    """A play after all of PLAYS."""
    return heard(number, title, artist, name) | MADE_UP | {"album_name": "another album"}


@pytest.fixture(scope="module")
def alone(spark: SparkSession) -> Ladder:
    return Ladder(spark, PLAYS, [*CATALOGUE, NAMELESS], API)


@pytest.fixture(scope="module")
def beside(spark: SparkSession) -> Ladder:
    """With a synthetic listener who hears the same tracks under names of the catalogue, and some that nobody else knows."""
    made_up = [
        synthetic(1, "Listed", "Lister", "unlisted"),
        synthetic(2, "Twice", "Lister", "unknown"),
        synthetic(3, "Unheard", "Other", "unheard"),
        synthetic(4, "Twice", "LISTER"),
        synthetic(5, "Both", "Made up"),
        synthetic(6, "Twice", "guest"),
    ]
    return Ladder(spark, [*PLAYS, *made_up], [*CATALOGUE, NAMELESS], API)


def test_tracks_of_the_catalogue_and_of_real_listeners_stay_as_they_are(alone: Ladder, beside: Ladder) -> None:
    assert {track: beside.by_id[track] for track in alone.by_id} == alone.by_id
    assert len(beside.by_id) == len(alone.by_id) + 2


@pytest.mark.parametrize(("function", "name"), [(artists, "silver.artists"), (albums, "silver.albums")])
def test_figures_of_artists_and_albums_stay_as_they_are(alone: Ladder, beside: Ladder, function: Any, name: str) -> None:
    key = {"silver.artists": "artist_key", "silver.albums": "album_key"}[name]
    without, within = (
        {row[key]: row for row in collect(name, function(ladder.tracks, ladder.heard_tracks))} for ladder in (alone, beside)
    )
    assert {row["heard_by_synthetic"] for row in without.values()} == {0}
    assert sum(row["heard_by_synthetic"] for row in within.values()) > 0
    added = [row for found, row in within.items() if found not in without]
    assert {(row["tracks"], row["heard_tracks"], row["measured_tracks"], row["energy"]) for row in added} == {(0, 0, 0, None)}
    assert {found: within[found] | {"heard_by_synthetic": 0} for found in without} == without


def test_a_track_says_who_hears_it(beside: Ladder) -> None:
    heard_by = {row["track_id"]: (row["by_real"], row["by_synthetic"]) for row in beside.heard_tracks.collect()}
    assert heard_by[IDS["listed"]] == (True, False)
    assert heard_by[IDS["unlisted"]] == heard_by[IDS["unknown"]] == (True, True)
    assert heard_by[IDS["unheard"]] == (False, True)


def test_the_latest_play_of_a_real_listener_names_a_track(spark: SparkSession) -> None:
    rows = [
        history(1, "2024-03-01T10:00:00Z", track_uri=f"spotify:track:{IDS['X']}", track_name="first"),
        history(2, "2024-04-01T10:00:00Z", track_uri=f"spotify:track:{IDS['X']}", track_name="second", user_id="anna"),
        history(1, track_uri=f"spotify:track:{IDS['X']}", track_name="made up") | MADE_UP,
        history(2, track_uri=f"spotify:track:{IDS['Y']}", track_name="also made up") | MADE_UP,
    ]
    found = {row["track_id"]: row["track_name"] for row in heard_tracks(silver_plays(spark, rows)).collect()}
    assert found == {IDS["X"]: "second", IDS["Y"]: "also made up"}


def test_a_catalogue_track_takes_no_names_from_synthetic_listeners(spark: SparkSession) -> None:
    nameless = NAMELESS | {"track_id": IDS["Z"]}
    ladder = Ladder(spark, [synthetic(1, "Listed", "Lister", "Z")], [*CATALOGUE[:2], nameless], [])
    track = ladder.by_id[IDS["Z"]]
    assert [track[name] for name in ("track_name", "artist_name", "album_name", "genres")] == [None, None, None, []]
