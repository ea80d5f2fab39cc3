"""Several catalogues: each value from the first that has it, popularity compared within one of them only."""

from __future__ import annotations

from typing import Any

import pytest
from pyspark.sql import DataFrame, SparkSession

from music.catalogues import CATALOGUES
from silver.catalogue import catalogue
from silver.catalogue_names import catalogue_names
from silver.other_catalogues import other_catalogues
from tests.frames import collect, frame
from tests.silver.rows import names_of, recordings_of, stored
from tests.silver.test_catalogue import row as usual_row

MILLION, LARGE, OLD, PLAYLISTS, GENRES = CATALOGUES[1:]


def row(number: int, source: str, track_id: str | None, **told: Any) -> dict[str, Any]:
    """A row of bronze.catalogue_tracks that tells only what is given."""
    return {"file_hash": source, "row_number": number, "source": source, "track_id": track_id} | told


def others(spark: SparkSession, rows: list[dict[str, Any]]) -> DataFrame:
    read = other_catalogues(frame(spark, "bronze.catalogue_tracks", rows))
    return stored(spark, "silver.other_catalogues", read)


def merged(spark: SparkSession, usual: list[dict[str, Any]], rows: list[dict[str, Any]]) -> DataFrame:
    return stored(spark, "silver.catalogue", catalogue(frame(spark, "bronze.kaggle_tracks", usual), others(spark, rows)))


def by_id(table: str, result: DataFrame) -> dict[str, dict[str, Any]]:
    return {track["track_id"]: track for track in collect(table, result)}


def test_each_value_is_from_the_first_catalogue_that_has_it(spark: SparkSession) -> None:
    rows = [
        row(1, LARGE, "t", track_name="large", artists=["L"], popularity="7", energy="0.3", tempo="100"),
        row(1, MILLION, "t", track_name="million", album_name="album", energy="0.2", tempo="0"),
        row(1, PLAYLISTS, "t", popularity="90", valence="0.9", track_genre="Pop", track_subgenre="dance pop"),
        row(1, GENRES, "t", valence="0.1", track_genre="movie", key="C#", mode="Minor", time_signature="5/4"),
    ]
    track = by_id("silver.catalogue", merged(spark, [], rows))["t"]
    told = ("track_name", "album_name", "artists", "energy", "tempo", "valence", "popularity", "genres", "key", "mode")
    assert [track[name] for name in told] == ["million", "album", ["L"], 0.2, 100.0, 0.9, 7, ["dance pop", "pop"], 1, 0]
    assert (track["time_signature"], track["catalogue_source"], track["popularity_source"]) == (5, MILLION, LARGE)


def test_the_usual_catalogue_comes_first_and_its_gaps_are_filled(spark: SparkSession) -> None:
    usual = [usual_row(1, "t", tempo="0", popularity=None, track_genre=None), usual_row(2, "u", popularity="30")]
    rows = [row(1, OLD, "t", track_name="other", energy="0.9", tempo="90", popularity="80"), row(2, OLD, "v", popularity="60")]
    tracks = by_id("silver.catalogue", merged(spark, usual, rows))
    told = ("track_name", "energy", "tempo", "popularity", "popularity_source", "comparable_popularity", "catalogue_source")
    assert [tracks["t"][name] for name in told] == ["Title", 0.5, 90.0, 80, OLD, 0, "kaggle_tracks"]
    assert [tracks["u"][name] for name in told[3:]] == [30, "kaggle_tracks", 30, "kaggle_tracks"]
    assert [tracks["v"][name] for name in told[3:]] == [60, OLD, 0, OLD]
    assert tracks["v"]["artists"] == tracks["v"]["genres"] == []


def test_without_the_usual_catalogue_the_first_that_tells_popularity_is_compared(spark: SparkSession) -> None:
    rows = [row(1, MILLION, "a"), row(1, LARGE, "b", popularity="5"), row(1, OLD, "c", popularity="50")]
    tracks = by_id("silver.catalogue", merged(spark, [], rows))
    assert {name: track["comparable_popularity"] for name, track in tracks.items()} == {"a": 0, "b": 5, "c": 0}
    assert {name: track["popularity_source"] for name, track in tracks.items()} == {"a": None, "b": LARGE, "c": OLD}
    tracks = by_id("silver.catalogue", merged(spark, [], rows[:1]))
    assert tracks["a"]["comparable_popularity"] == tracks["a"]["popularity"] == 0


def test_one_row_per_track_and_catalogue_whatever_the_order(spark: SparkSession) -> None:
    rows = [
        row(1, PLAYLISTS, "t", track_name="few", popularity="9", track_genre="rap", track_subgenre="trap"),
        row(2, PLAYLISTS, "t", track_name="many", popularity="10", track_genre="pop", track_subgenre=None),
        row(3, PLAYLISTS, " spotify:track:2J3n32GeLmMjwuAzyhcSNe ", track_name="uri"),
        row(4, PLAYLISTS, None),
        row(1, OLD, "t", artists=[]),
    ]
    found = collect("silver.other_catalogues", others(spark, rows))
    assert [(r["track_id"], r["catalogue_source"], r["track_name"], r["popularity"], r["genres"]) for r in found] == [
        ("2J3n32GeLmMjwuAzyhcSNe", PLAYLISTS, "uri", None, None),
        ("t", OLD, None, None, None),
        ("t", PLAYLISTS, "many", 10, ["pop", "rap", "trap"]),
    ]
    renumbered = [one | {"row_number": 99 - one["row_number"]} for one in rows[::-1]]
    assert collect("silver.other_catalogues", others(spark, renumbered)) == found


def test_a_name_stands_for_the_preferred_catalogue_s_track(spark: SparkSession) -> None:
    usual = [usual_row(1, "usual", popularity="1")]
    named = {"track_name": "Title", "artists": ["Artist"]}
    only = {"track_name": "Only", "artists": ["Artist"]}
    rows = [
        row(1, LARGE, "more", popularity="99", **named),
        row(2, LARGE, "b", popularity="3", **only),
        row(3, LARGE, "a", popularity="2", **only),
        row(1, OLD, "0", popularity="100", **only),
    ]
    listed = merged(spark, usual, rows)
    chosen = {
        (r["track_id"], r["catalogue_source"])
        for r in collect("silver.catalogue_names", catalogue_names(listed, names_of(spark, listed)))
    }
    assert chosen == {("usual", "kaggle_tracks"), ("b", LARGE)}
    first = {r["track_id"] for r in collect("silver.catalogue_recordings", recordings_of(spark, listed)) if r["is_first"]}
    assert first == {"usual", "b"}


@pytest.mark.parametrize(
    ("key", "number"), [("C", 0), ("c#", 1), ("D♭", 1), ("C♯/D♭", 1), ("B#", 0), ("Cb", 11), ("B", 11), ("H", None), ("7", 7)]
)
def test_keys_written_as_notes(spark: SparkSession, key: str, number: int | None) -> None:
    tracks = merged(spark, [], [row(1, GENRES, "t", key=key)])
    assert by_id("silver.catalogue", tracks)["t"]["key"] == number


@pytest.mark.parametrize(
    ("mode", "bar", "expected"),
    [
        ("Major", "4/4", (1, 4)),
        (" minor", "3 / 4", (0, 3)),
        ("1", "5", (1, 5)),
        ("-", "0/4", (None, None)),
        ("2", "4/", (None, None)),
    ],
)
def test_modes_and_time_signatures_in_words(spark: SparkSession, mode: str, bar: str, expected: tuple[int, int]) -> None:
    track = by_id("silver.catalogue", merged(spark, [], [row(1, GENRES, "t", mode=mode, time_signature=bar)]))["t"]
    assert (track["mode"], track["time_signature"]) == expected
