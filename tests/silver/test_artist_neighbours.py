"""Artists that are close, from what two sources say."""

from __future__ import annotations

import datetime as dt
from typing import Any

from pyspark.sql import SparkSession

from lakehouse.plan import graph
from silver.artist_neighbours import NEIGHBOURS, artist_neighbours
from tests.frames import UTC, collect, frame

graph.load()


def pair(source: str, similar: str, scaled: float | None) -> dict[str, Any]:
    told = {"artist_key": "a", "source": source, "similar_artist_key": similar, "artist_name": "A"}
    return told | {"similar_artist_name": similar, "scaled_score": scaled, "fetched_at": dt.datetime(2026, 11, 1, tzinfo=UTC)}


def found(spark: SparkSession, rows: list[dict[str, Any]], *, used: bool = True) -> list[dict[str, Any]]:
    similar = frame(spark, "bronze.similar_artists", rows)
    return collect("silver.artist_neighbours", artist_neighbours(similar, recommend_similar_artists=used))


def test_sources_are_averaged_and_who_is_not_close_is_left_out(spark: SparkSession) -> None:
    rows = [pair("lastfm_api", "b", 1.0), pair("listenbrainz_api", "b", 0.5), pair("lastfm_api", "c", 0.0)]
    rows += [pair("listenbrainz_api", "d", None), pair("listenbrainz_api", "e", 1.0)]
    assert [(row["neighbour_key"], row["score"], row["sources"]) for row in found(spark, rows)] == [("b", 0.75, 2), ("e", 1.0, 1)]


def test_the_closest_ten_stay_and_ties_go_to_the_lowest_key(spark: SparkSession) -> None:
    rows = [pair("lastfm_api", f"n{number:02d}", 0.5 if number < 15 else 0.9) for number in range(18)]
    expected = [f"n{number:02d}" for number in (*range(NEIGHBOURS - 3), 15, 16, 17)]
    assert [row["neighbour_key"] for row in found(spark, rows)] == expected


def test_without_the_setting_there_are_none(spark: SparkSession) -> None:
    assert found(spark, [pair("lastfm_api", "b", 1.0)], used=False) == []
