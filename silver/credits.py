"""Tracks by the artists they credit: each artist once a track, however often and in whatever spelling the track credits them."""

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
    """One row (artist_key, artist_name) per credited artist: the first of the spellings in the order of characters.

    Or the spelling that the aggregate `chosen` picks, from `artist` and the given columns of the tracks.
    """
    exploded = tracks.select(*columns, F.explode("artists").alias("artist")).withColumn("artist_key", artist_key(F.col("artist")))
    return (
        exploded.where("artist_key IS NOT NULL")
        .groupBy("artist_key")
        .agg((F.min("artist") if chosen is None else chosen).alias("artist_name"))
    )
