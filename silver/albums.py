"""Every album of a track, with the mean features of the tracks that were measured."""

from __future__ import annotations

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from bronze.audio_features import CONTINUOUS, RANGES
from lakehouse.rules import at_least, between
from lakehouse.table import column, table
from silver.entity_means import MEAN_COLUMNS, measured_means


@table(
    "silver.albums",
    key=["album_key"],
    scope="entity",
    schema=[
        column("album_key", "string", "hash of case-folded first artist and album"),
        column("album_name", "string", "one spelling of the title", nullable=False),
        column("artist_key", "string", "hash of the case-folded first artist"),
        column("artist_name", "string", "one spelling of the first artist"),
        column("tracks", "bigint", "known tracks of the album", nullable=False),
        column("heard_tracks", "bigint", "of these, tracks that a kept play holds", nullable=False),
        *MEAN_COLUMNS,
    ],
    rules=[at_least("tracks", 1), *[between(name, *RANGES[name]) for name in CONTINUOUS]],
)
def albums(tracks: DataFrame) -> DataFrame:
    """One row per album of a first artist."""
    return (
        tracks.where("album_key IS NOT NULL")
        .groupBy("album_key")
        .agg(
            F.min("album_name").alias("album_name"),
            F.min("artist_key").alias("artist_key"),
            F.min("artist_name").alias("artist_name"),
            F.count("*").alias("tracks"),
            F.count_if("is_heard").alias("heard_tracks"),
            *measured_means(),
        )
    )
