"""Tracks by credited artist: each artist counts once per track, even if it credits them several times or in several spellings."""

from __future__ import annotations

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from music.names import artist_key, folded


def credited(tracks: DataFrame, *columns: str) -> DataFrame:
    """One row (artist_key and the given columns) per track and artist of its `artists`."""
    artists = F.array_distinct(F.transform("artists", folded))
    exploded = tracks.select(*columns, F.explode(artists).alias("artist"))
    return exploded.where("artist IS NOT NULL").select(*columns, artist_key(F.col("artist")).alias("artist_key"))


def spellings(tracks: DataFrame, chosen: Column | None = None, *columns: str) -> DataFrame:
    """One row (artist_key, artist_name) per credited artist: the first spelling in character order.

    If the aggregate `chosen` is given, it picks the spelling instead, from `artist` and the given columns of the tracks.
    """
    exploded = tracks.select(*columns, F.explode("artists").alias("artist")).withColumn("artist_key", artist_key(F.col("artist")))
    return (
        exploded.where("artist_key IS NOT NULL")
        .groupBy("artist_key")
        .agg((F.min("artist") if chosen is None else chosen).alias("artist_name"))
    )
