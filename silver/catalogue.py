"""The catalogue with each track once, its genres gathered and impossible values removed."""

from __future__ import annotations

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from lakehouse.rules import between
from lakehouse.table import column, table
from silver.features import FEATURE_COLUMNS, FEATURES, INTEGERS, RANGES
from silver.names import folded
from silver.parsing import parse_boolean, parse_whole

ARTIST_SEPARATOR = ";"


@table(
    "silver.catalogue",
    key=["track_id"],
    scope="entity",
    schema=[
        column("track_id", "string", "Spotify id"),
        column("track_name", "string", "title"),
        column("artists", "array<string>", "credited artists, in order", nullable=False),
        column("album_name", "string", "album"),
        column("genres", "array<string>", "every genre the track stands under, sorted", nullable=False),
        column("popularity", "int", "0-100; 0 where unknown", nullable=False),
        column("duration_ms", "bigint", "length, ms"),
        column("explicit", "boolean", "explicit lyrics"),
        *FEATURE_COLUMNS,
    ],
    rules=[between(name, low, high) for name, (low, high) in RANGES.items()],
)
def catalogue(kaggle_tracks: DataFrame) -> DataFrame:
    """One row per track id of the catalogue.

    A track stands in the file once per genre; the most popular of its rows tells its names and numbers.
    """
    rows = kaggle_tracks.where(folded(F.col("track_id")).isNotNull()).select(
        F.trim("track_id").alias("track_id"),
        F.coalesce(parse_whole(F.trim("popularity")), F.lit(0)).alias("popularity"),
        "track_name",
        "artists",
        "album_name",
        parse_whole(F.trim("duration_ms")).alias("duration_ms"),
        parse_boolean(F.col("explicit")).alias("explicit"),
        *[possible(name) for name in FEATURES],
        folded(F.col("track_genre")).alias("genre"),
    )
    told = ["popularity", "track_name", "artists", "album_name", "duration_ms", "explicit", *FEATURES]
    merged = rows.groupBy("track_id").agg(
        F.max(F.struct(*told)).alias("told"),
        F.array_sort(F.collect_set("genre")).alias("genres"),
    )
    credited = F.transform(F.split(F.col("told")["artists"], ARTIST_SEPARATOR), F.trim)
    return merged.select(
        "track_id",
        *[F.col("told")[name].alias(name) for name in told if name != "artists"],
        F.coalesce(F.filter(credited, lambda name: name != ""), F.array().cast("array<string>")).alias("artists"),
        "genres",
    )


def possible(name: str) -> Column:
    """A feature's text as a number; null for what is no number or outside the range a track can have."""
    low, high = RANGES[name]
    number = F.col(name).try_cast("double")
    kind = "int" if name in INTEGERS else "double"
    return F.when(number.between(low, high), number).cast(kind).alias(name)
