"""Tracks by credited artist."""

from __future__ import annotations

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from music.names import artist_key, with_folded


def credited(tracks: DataFrame, names: DataFrame) -> DataFrame:
    """One row (track_id, artist_key) per track and artist of its `artists`, however often and in whatever spelling it has it."""
    return _artists(tracks.select("track_id", "artists"), names, "track_id").select("track_id", "artist_key").distinct()


def spellings(tracks: DataFrame, names: DataFrame, chosen: Column | None = None, *columns: str) -> DataFrame:
    """One row (artist_key, artist_name) per credited artist: the first spelling in character order.

    If the aggregate `chosen` is given, it picks the spelling instead, from `artist` and the given columns of the tracks.
    """
    named = (F.min("artist") if chosen is None else chosen).alias("artist_name")
    return _artists(tracks.select("artists", *columns), names, *columns).groupBy("artist_key").agg(named)


def _artists(tracks: DataFrame, names: DataFrame, *columns: str) -> DataFrame:
    """One row (artist, artist_key and the given columns) per track and credit."""
    exploded = tracks.select(*columns, F.explode("artists").alias("artist"))
    folded = with_folded(exploded, names, {"artist": {"folded": "folded"}}).where("folded IS NOT NULL")
    return folded.select(*columns, "artist", artist_key(F.col("folded")).alias("artist_key"))
