"""The catalogue: each track once, its genres gathered, impossible values null, whatever the file says."""

from __future__ import annotations

from typing import Any

import pytest
from pyspark.sql import DataFrame, SparkSession

from music.audio_features import FEATURES
from silver.catalogue import catalogue
from tests.frames import collect, frame
from tests.silver.rows import artists_of as catalogue_artists_of
from tests.silver.rows import stored

GOOD = {
    "track_name": "Title",
    "artists": "Artist",
    "album_name": "Album",
    "popularity": "50",
    "duration_ms": "180000",
    "explicit": "False",
    **dict.fromkeys(("danceability", "energy", "valence", "acousticness", "instrumentalness", "speechiness", "liveness"), "0.5"),
    "loudness": "-8.5",
    "tempo": "120.0",
    "time_signature": "4",
    "key": "0",
    "mode": "1",
    "track_genre": "rock",
}


def row(number: int, track_id: str | None, **changes: Any) -> dict[str, Any]:
    return {"file_hash": "f", "row_number": number, "track_id": track_id, **GOOD} | changes


def listed(spark: SparkSession, rows: list[dict[str, Any]]) -> DataFrame:
    """silver.catalogue of rows of the usual catalogue alone."""
    return catalogue(frame(spark, "bronze.kaggle_tracks", rows), frame(spark, "silver.other_catalogues", []))


def tracks_of(spark: SparkSession, rows: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    result = collect("silver.catalogue", listed(spark, rows))
    assert len({track["track_id"] for track in result}) == len(result)
    return {track["track_id"]: track for track in result}


def test_a_track_under_three_genres_is_one_track(spark: SparkSession) -> None:
    genres = ("rock", "Alt-Rock", "rock", " ", None)
    rows = [row(number, "t", track_genre=genre) for number, genre in enumerate(genres, start=1)]
    tracks = tracks_of(spark, rows)
    assert list(tracks) == ["t"]
    assert tracks["t"]["genres"] == ["alt-rock", "rock"]


def test_the_most_popular_row_tells_names_and_numbers(spark: SparkSession) -> None:
    rows = [
        row(1, "t", popularity="9", track_name="ninth", energy="0.1"),
        row(2, "t", popularity="100", track_name="hundredth", energy="0.2"),
        row(3, " t ", popularity=None, track_name="unknown", energy="0.3"),
        row(4, "u", popularity="60", album_name="first"),
        row(5, "u", popularity="60", album_name="second"),
    ]
    tracks = tracks_of(spark, rows)
    assert (tracks["t"]["popularity"], tracks["t"]["track_name"], tracks["t"]["energy"]) == (100, "hundredth", 0.2)
    assert tracks_of(spark, rows[::-1]) == tracks
    renumbered = [one | {"row_number": 99 - one["row_number"]} for one in rows]
    assert tracks_of(spark, renumbered) == tracks


IMPOSSIBLE = {
    "danceability": ["-0.01", "1.01", "", "x", "NaN", "inf", "1e400"],
    "energy": ["2", None, "0,5", "-inf"],
    "valence": ["1.0000001", "null"],
    "loudness": ["-60.1", "10.1"],
    "tempo": ["0", "0.0", "-120", "301"],
    "time_signature": ["0", "8"],
    "key": ["-1", "12"],
    "mode": ["2", "-1"],
}


def test_an_impossible_value_becomes_null_and_touches_nothing_else(spark: SparkSession) -> None:
    cases = [(name, text) for name, texts in IMPOSSIBLE.items() for text in texts]
    tracks = tracks_of(spark, [row(number, f"t{number:02d}", **{name: text}) for number, (name, text) in enumerate(cases)])
    for number, (name, text) in enumerate(cases):
        nulls = [feature for feature in FEATURES if tracks[f"t{number:02d}"][feature] is None]
        assert nulls == [name], (name, text)


def test_values_at_the_edge_of_the_possible_stay(spark: SparkSession) -> None:
    low = {
        "danceability": "0",
        "loudness": "-60",
        "tempo": "1",
        "time_signature": "1",
        "key": "0",
        "mode": "0",
        "popularity": "0",
    }
    high = {"danceability": "1", "loudness": "10", "tempo": "300", "time_signature": "7", "key": "11", "mode": "1"}
    tracks = tracks_of(spark, [row(1, "low", **low), row(2, "high", **high, popularity="100")])
    assert {name: tracks["low"][name] for name in low} == {name: int(text) for name, text in low.items()}
    assert {name: tracks["high"][name] for name in high} == {name: int(text) for name, text in high.items()}


def test_rows_without_names_stay_and_rows_without_id_cannot(spark: SparkSession) -> None:
    nameless = dict.fromkeys(("track_name", "artists", "album_name", "track_genre"))
    tracks = tracks_of(spark, [row(1, "t", **nameless), row(2, None), row(3, "  ")])
    assert list(tracks) == ["t"]
    assert (tracks["t"]["track_name"], tracks["t"]["artists"], tracks["t"]["genres"]) == (None, [], [])


def test_credited_artists_are_told_apart(spark: SparkSession) -> None:
    tracks = tracks_of(spark, [row(1, "t", artists="Earth, Wind & Fire; ZAYN ;;"), row(2, "u", artists=" ; ")])
    assert (tracks["t"]["artists"], tracks["u"]["artists"]) == (["Earth, Wind & Fire", "ZAYN"], [])


@pytest.mark.parametrize(
    ("name", "text", "expected"), [("popularity", "5000", 0), ("popularity", "-5", 0), ("duration_ms", "0", None)]
)
def test_impossible_popularity_and_length_are_unknown(spark: SparkSession, name: str, text: str, expected: int | None) -> None:
    assert tracks_of(spark, [row(1, "t", **{name: text})])["t"][name] == expected


def test_a_popularity_of_many_digits_fails_nothing(spark: SparkSession) -> None:
    assert len(tracks_of(spark, [row(1, "t", popularity="99999999999"), row(2, "u")])) == 2


def artists_of(spark: SparkSession, rows: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    result = collect(
        "silver.catalogue_artists", catalogue_artists_of(spark, stored(spark, "silver.catalogue", listed(spark, rows)))
    )
    return {artist["artist_name"]: artist for artist in result}


def test_artists_have_the_means_of_all_tracks_that_credit_them(spark: SparkSession) -> None:
    rows = [
        row(1, "t", artists="A;B", energy="0.2", track_genre="rock"),
        row(2, "t", artists="A;B", energy="0.2", track_genre="pop"),
        row(3, "u", artists=" a", energy="0.5", tempo="0"),
        row(4, "v", artists="A", energy="0.8", tempo="90"),
        row(5, "w", artists="B", energy="7"),
    ]
    artists = artists_of(spark, rows)
    assert {name: artist["tracks"] for name, artist in artists.items()} == {"A": 3, "B": 2}
    assert artists["A"]["energy"] == pytest.approx(0.5)
    assert artists["A"]["tempo"] == pytest.approx(105.0)
    assert artists["B"]["energy"] == pytest.approx(0.2)
    assert {name: artist["main_genre"] for name, artist in artists.items()} == {"A": "rock", "B": "rock"}


def test_a_track_that_credits_an_artist_twice_counts_once(spark: SparkSession) -> None:
    artists = artists_of(spark, [row(1, "t", artists="A;a", energy="0.2"), row(2, "u", artists="A", energy="0.8")])
    assert artists["A"]["tracks"] == 2
    assert artists["A"]["energy"] == pytest.approx(0.5)
