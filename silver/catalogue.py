"""The catalogue with one row per track, genres collected and impossible values removed."""

from __future__ import annotations

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from lakehouse.declare import column, table
from music.audio_features import CATALOGUE_RANGES, FEATURE_COLUMNS, FEATURES, INTEGERS
from music.names import hashed
from silver.parsing import is_blank, parse_boolean

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
        column("genres", "array<string>", "all genres the track is listed under, sorted", nullable=False),
        column("popularity", "int", "popularity, 0-100; 0 where unknown", nullable=False),
        column("duration_ms", "bigint", "length, ms"),
        column("explicit", "boolean", "explicit lyrics"),
        *FEATURE_COLUMNS,
    ],
)
def catalogue(kaggle_tracks: DataFrame) -> DataFrame:
    """One row per track id of the catalogue.

    The file lists a track once per genre; names and numbers are taken from the most popular of its rows.
    """
    rows = kaggle_tracks.where(~is_blank(F.col("track_id"))).select(
        F.trim("track_id").alias("track_id"),
        F.coalesce(possible("popularity"), F.lit(0)).alias("popularity"),
        "track_name",
        "artists",
        "album_name",
        possible("duration_ms"),
        parse_boolean(F.col("explicit")).alias("explicit"),
        *[possible(name) for name in FEATURES],
        F.nullif(F.lower(F.trim("track_genre")), F.lit("")).alias("genre"),
        F.concat_ws(":", "file_hash", F.col("row_number").cast("string")).alias("row_id"),
    )
    told = ["popularity", "track_name", "artists", "album_name", "duration_ms", "explicit", *FEATURES]
    # The least text wins, so it begins with the unpopularity; the row's place only decides between equal rows.
    unpopularity = F.lpad((100 - F.col("popularity")).cast("string"), 3, "0")
    place = F.concat_ws(" ", unpopularity, hashed(*[F.col(name) for name in told]), "row_id")
    placed = rows.withColumn("place", place)
    best = placed.groupBy("track_id").agg(F.min("place").alias("place"))
    genres = rows.select("track_id", "genre").where("genre IS NOT NULL").distinct()
    gathered = genres.groupBy("track_id").agg(F.array_sort(F.collect_list("genre")).alias("genres"))
    merged = placed.join(best, on=["track_id", "place"], how="inner").drop("genre").join(gathered, on="track_id", how="left")
    credited = F.transform(F.split("artists", ARTIST_SEPARATOR), lambda name: F.trim(name))  # noqa: PLW0108 trim has a second parameter
    none = F.array().cast("array<string>")
    return merged.select(
        "track_id",
        *[name for name in told if name != "artists"],
        F.coalesce(F.filter(credited, lambda name: name != ""), none).alias("artists"),
        F.coalesce("genres", none).alias("genres"),
    )


def possible(name: str) -> Column:
    """A catalogue text as a number; null if it is not a number or is outside the possible range."""
    low, high = CATALOGUE_RANGES[name]
    number = F.col(name).try_cast("double")
    kind = "int" if name in INTEGERS else "double"
    return F.when(number.between(low, high), number).cast(kind).alias(name)
