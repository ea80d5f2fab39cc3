"""What synthetic listeners hear changes no name, feature or figure that real listeners' plays and the catalogue give."""

from __future__ import annotations

from typing import Any

import pytest
from pyspark.sql import SparkSession

from silver.albums import albums
from silver.artists import artists
from tests.frames import collect, frame
from tests.silver.rows import build
from tests.silver.test_feature_ladder import API, CATALOGUE, IDS, PLAYS, Ladder, heard

NAMELESS = {"track_id": "nameless", "track_name": None, "artists": [], "album_name": None, "genres": [], "popularity": 0}
MADE_UP = {"source": "synthetic", "source_kind": "synthetic", "user_id": "synthetic:000001"}


def synthetic(number: int, title: str, artist: str, name: str | None = None) -> dict[str, Any]:
    """A play after all of PLAYS."""
    return heard(number, title, artist, name) | MADE_UP | {"album_name": "another album", "ts": f"2024-05-{number:02d}T10:00:00Z"}


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


@pytest.mark.parametrize("name", ["silver.artists", "silver.albums"])
def test_figures_of_artists_and_albums_stay_as_they_are(alone: Ladder, beside: Ladder, name: str) -> None:
    key = {"silver.artists": "artist_key", "silver.albums": "album_key"}[name]
    without, within = (
        {
            row[key]: row
            for row in collect(
                name,
                artists(ladder.tracks, ladder.heard_tracks, ladder.names)
                if name == "silver.artists"
                else albums(ladder.tracks, ladder.heard_tracks),
            )
        }
        for ladder in (alone, beside)
    )
    assert {row["heard_by_synthetic"] for row in without.values()} == {0}
    assert sum(row["heard_by_synthetic"] for row in within.values()) > 0
    added = [row for found, row in within.items() if found not in without]
    assert {(row["tracks"], row["heard_tracks"], row["measured_tracks"], row["energy"]) for row in added} == {(0, 0, 0, None)}
    # approx: engines add the values of a mean in any order
    assert [
        (found, name, value, without[found][name])
        for found in without
        for name, value in (within[found] | {"heard_by_synthetic": 0}).items()
        if value != (pytest.approx(without[found][name]) if isinstance(value, float) else without[found][name])
    ] == []


def test_a_track_says_who_hears_it(beside: Ladder) -> None:
    heard_by = {row["track_id"]: (row["by_real"], row["by_synthetic"]) for row in beside.heard_tracks.collect()}
    assert heard_by[IDS["listed"]] == (True, False)
    assert heard_by[IDS["unlisted"]] == heard_by[IDS["unknown"]] == (True, True)
    assert heard_by[IDS["unheard"]] == (False, True)


def test_most_plays_of_real_listeners_name_a_track_the_latest_of_equally_many(spark: SparkSession) -> None:
    plays = [
        *[("X", "often", day) for day in (1, 2)],
        ("X", "once", 3),
        ("X", None, 4),
        ("Y", "first", 5),
        ("Y", "second", 6),
    ]
    rows = [heard(day, title, "Someone", name) for name, title, day in plays]
    rows += [synthetic(number, "made up", "Someone", name) for number, name in enumerate("XXXZ", start=11)]
    given = {"bronze.listening_history": frame(spark, "bronze.listening_history", rows)}
    found = {row["track_id"]: row["track_name"] for row in build(spark, "silver.heard_tracks", given).collect()}
    assert found == {IDS["X"]: "often", IDS["Y"]: "second", IDS["Z"]: "made up"}


def test_an_id_that_a_real_listener_has_in_duplicates_alone_takes_no_album_from_synthetic_listeners(spark: SparkSession) -> None:
    kept = heard(1, "Title", "Someone", "Y")
    duplicate = kept | {"row_number": 2, "track_uri": f"spotify:track:{IDS['Z']}"}
    rows = [kept, duplicate, synthetic(11, "Title", "Someone", "Z")]
    given = {"bronze.listening_history": frame(spark, "bronze.listening_history", rows)}
    tracks = {row["track_id"]: row for row in build(spark, "silver.heard_tracks", given).collect()}
    assert (tracks[IDS["Z"]]["album_name"], tracks[IDS["Z"]]["by_synthetic"]) == (None, True)


def test_a_catalogue_track_takes_no_names_from_synthetic_listeners(spark: SparkSession) -> None:
    nameless = NAMELESS | {"track_id": IDS["Z"]}
    ladder = Ladder(spark, [synthetic(1, "Listed", "Lister", "Z")], [*CATALOGUE[:2], nameless], [])
    track = ladder.by_id[IDS["Z"]]
    assert [track[name] for name in ("track_name", "artist_name", "album_name", "genres")] == [None, None, None, []]
