"""The catalogues with one row per track, genres collected and impossible values removed."""

from __future__ import annotations

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from lakehouse.declare import column, table
from music.audio_features import FEATURE_COLUMNS, FEATURES
from music.catalogues import CATALOGUES, USUAL, catalogue_number, name_of, place_of
from silver.catalogue_rows import most_popular, parsed, with_genres, with_ids

ARTIST_SEPARATOR = ";"
VALUES = ("track_name", "artists", "album_name", "genres", "popularity", "duration_ms", "explicit", *FEATURES)
"""Each is taken from the first catalogue that has it."""


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
        column(
            "catalogue_source",
            "string",
            "first catalogue that has the track; what it does not tell is from the next one that does",
            nullable=False,
            one_of=CATALOGUES,
        ),
        column("popularity_source", "string", "catalogue that the popularity is from; null where unknown", one_of=CATALOGUES),
        column(
            "comparable_popularity",
            "int",
            "popularity to compare tracks by: that of one catalogue, the first that tells any; 0 where that one does not",
            nullable=False,
            between=(0, 100),
        ),
    ],
)
def catalogue(kaggle_tracks: DataFrame, other_catalogues: DataFrame) -> DataFrame:
    """One row per track id of the catalogues.

    The usual file lists a track once per genre; names and numbers are taken from the most popular of its rows. Catalogues
    measured popularity in different years, so it is compared within one of them only.
    """
    usual, other = _usual(kaggle_tracks), _first_of(other_catalogues)
    told = {name: F.coalesce(name, f"other_{name}") for name in VALUES}
    merged = usual.join(other, on="track_id", how="full").select(
        "track_id",
        *[value.alias(name) for name, value in told.items()],
        F.coalesce("is_usual", F.lit(False)).alias("is_usual"),
        "first_place",
        F.when(F.col("popularity").isNotNull(), 0).otherwise(F.col("popularity_place")).alias("popularity_place"),
    )
    none = F.array().cast("array<string>")
    popularity = F.coalesce("popularity", F.lit(0))
    return merged.crossJoin(F.broadcast(_compared(kaggle_tracks, other_catalogues))).select(
        "track_id",
        *[name for name in VALUES if name not in ("artists", "genres", "popularity")],
        F.coalesce("artists", none).alias("artists"),
        F.coalesce("genres", none).alias("genres"),
        popularity.alias("popularity"),
        F.when(F.col("is_usual"), USUAL).otherwise(name_of(F.col("first_place"))).alias("catalogue_source"),
        name_of(F.col("popularity_place")).alias("popularity_source"),
        F.when(F.col("popularity_place") == F.col("compared_place"), popularity).otherwise(0).alias("comparable_popularity"),
    )


def _usual(kaggle_tracks: DataFrame) -> DataFrame:
    """One row per track id of the usual catalogue: VALUES, null where it tells nothing, and `is_usual`."""
    rows = with_ids(kaggle_tracks).select(
        "track_id",
        F.coalesce(catalogue_number("popularity"), F.lit(0)).alias("popularity"),
        catalogue_number("popularity").alias("stated_popularity"),
        *["track_name", "artists", "album_name"],
        *parsed(),
        F.nullif(F.lower(F.trim("track_genre")), F.lit("")).alias("genre"),
    )
    told = ["popularity", "track_name", "artists", "album_name", "duration_ms", "explicit", *FEATURES]
    tracks = most_popular(rows, ["track_id"], [F.col(name) for name in told]).drop("genre", "popularity")
    credited = F.transform(F.split("artists", ARTIST_SEPARATOR), lambda name: F.trim(name))  # noqa: PLW0108 trim has a second parameter
    names = F.filter(credited, lambda name: name != "")
    return (
        with_genres(tracks, rows, ["track_id"])
        .withColumnRenamed("stated_popularity", "popularity")
        .withColumns({"artists": F.when(F.size(names) > 0, names), "is_usual": F.lit(True)})
    )


def _first_of(other_catalogues: DataFrame) -> DataFrame:
    """One row per track id of the other catalogues: VALUES as `other_...`, the place of the first, and that of the popularity."""
    placed = other_catalogues.withColumn("place", place_of(F.col("catalogue_source")))
    first = placed.groupBy("track_id").agg(F.min("place").alias("first_place"))
    # The smaller side of each join comes first: an engine may hold it in memory.
    placed = first.join(placed, on="track_id", how="inner")
    leading = placed.where("place = first_place")
    # Few tracks are in several catalogues, so only theirs are aggregated; a catalogue has one row of a track.
    later = (
        placed.where("place > first_place")
        .groupBy("track_id")
        .agg(
            *[_first_told(name).alias(f"later_{name}") for name in VALUES],
            F.min(F.when(F.col("popularity").isNotNull(), F.col("place"))).alias("later_place"),
        )
    )
    joined = later.join(leading, on="track_id", how="right")
    popularity_place = F.when(F.col("popularity").isNotNull(), F.col("first_place")).otherwise(F.col("later_place"))
    return joined.select(
        "track_id",
        "first_place",
        popularity_place.alias("popularity_place"),
        *[F.coalesce(name, f"later_{name}").alias(f"other_{name}") for name in VALUES],
    )


def _first_told(name: str) -> Column:
    """Aggregate: the column's value in the first catalogue after the leading one that has it."""
    return F.coalesce(*[F.max(F.when(F.col("place") == place, F.col(name))) for place in range(2, len(CATALOGUES))])


def _compared(kaggle_tracks: DataFrame, other_catalogues: DataFrame) -> DataFrame:
    """One row (compared_place): the place of the first catalogue that tells any popularity; null if none does."""
    usual = with_ids(kaggle_tracks).select(F.when(catalogue_number("popularity").isNotNull(), 0).alias("place"))
    has_popularity = F.col("popularity").isNotNull()
    other = other_catalogues.select(F.when(has_popularity, place_of(F.col("catalogue_source"))).alias("place"))
    return usual.union(other).agg(F.min("place").alias("compared_place"))
