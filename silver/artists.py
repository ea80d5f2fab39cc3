"""Every artist of a track, with the mean features of the tracks that were measured."""

from __future__ import annotations

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from bronze.audio_features import CONTINUOUS, RANGES
from lakehouse.rules import at_least, between
from lakehouse.table import column, table
from silver.credits import credited, spellings
from silver.entity_means import MEAN_COLUMNS, measured_means


@table(
    "silver.artists",
    key=["artist_key"],
    scope="entity",
    schema=[
        column("artist_key", "string", "hash of the case-folded artist name"),
        column("artist_name", "string", "one spelling of the name", nullable=False),
        column("genres", "array<string>", "genres of the artist's tracks, sorted", nullable=False),
        column("tracks", "bigint", "tracks that credit the artist", nullable=False),
        column("heard_tracks", "bigint", "of these, tracks that a kept play holds", nullable=False),
        *MEAN_COLUMNS,
    ],
    rules=[at_least("tracks", 1), *[between(name, *RANGES[name]) for name in CONTINUOUS]],
)
def artists(tracks: DataFrame) -> DataFrame:
    """One row per artist that any track credits; a track counts for each of its artists."""
    credits = credited(tracks, "genres", "is_heard", "feature_source", *CONTINUOUS)
    genres = credits.select("artist_key", F.explode("genres").alias("genre")).distinct()
    gathered = genres.groupBy("artist_key").agg(F.array_sort(F.collect_list("genre")).alias("genres"))
    counted = credits.groupBy("artist_key").agg(
        F.count("*").alias("tracks"),
        F.count_if("is_heard").alias("heard_tracks"),
        *measured_means(),
    )
    named = counted.join(spellings(tracks), on="artist_key", how="inner").join(gathered, on="artist_key", how="left")
    return named.withColumn("genres", F.coalesce("genres", F.array().cast("array<string>")))
