"""All albums of tracks, with the mean features of their measured tracks."""

from __future__ import annotations

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from lakehouse.declare import column, table
from silver.entity_means import HEARD_COLUMNS, MEAN_COLUMNS, NOT_EMPTY, heard_counts, measured_means, preferred
from silver.hearers import with_hearers


@table(
    "silver.albums",
    key=["album_key"],
    scope="entity",
    schema=[
        column("album_key", "string", "hash of case-folded first artist and album"),
        column("album_name", "string", "title, in one of its spellings", nullable=False),
        column("artist_key", "string", "hash of the case-folded first artist"),
        column("artist_name", "string", "first artist, in one of its spellings"),
        *HEARD_COLUMNS,
        *MEAN_COLUMNS,
    ],
    rules=[NOT_EMPTY],
)
def albums(tracks: DataFrame, heard_tracks: DataFrame) -> DataFrame:
    """One row per first artist and album title."""
    return (
        with_hearers(tracks, heard_tracks)
        .where("album_key IS NOT NULL")
        .groupBy("album_key")
        .agg(
            preferred("album_name").alias("album_name"),
            F.min("artist_key").alias("artist_key"),
            preferred("artist_name").alias("artist_name"),
            *heard_counts(),
            *measured_means(),
        )
    )
