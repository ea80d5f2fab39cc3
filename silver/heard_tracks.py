"""The tracks that kept plays hold, named as their latest play names them."""

from __future__ import annotations

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from lakehouse.table import column, table
from silver.names import artist_key, name_key

NAMES = ("track_name", "artist_name", "album_name")


@table(
    "silver.heard_tracks",
    key=["track_id"],
    scope="entity",
    schema=[
        column("track_id", "string", "Spotify id, or local: + hash of case-folded artist and title"),
        column("track_name", "string", "as the latest play names it"),
        column("artist_name", "string", "as the latest play names it"),
        column("album_name", "string", "as the latest play names it"),
        column("artist_key", "string", "hash of the case-folded artist name"),
        column("name_key", "string", "hash of case-folded artist and title; null without both"),
    ],
)
def heard_tracks(plays: DataFrame) -> DataFrame:
    """One row per track of a kept play."""
    kept = plays.where(F.col("disposition") == "kept").select("track_id", "played_at", "play_id", *NAMES)
    # Only plays that start when a track's last one does are compared as structs, which is slow for every play.
    last = kept.groupBy("track_id").agg(F.max("played_at").alias("played_at"))
    latest = F.max_by(F.struct(*NAMES), "play_id")
    named = kept.join(last, on=["track_id", "played_at"], how="inner").groupBy("track_id").agg(latest.alias("told"))
    told = named.select("track_id", *[F.col("told")[name].alias(name) for name in NAMES])
    names = name_key(F.col("artist_name"), F.col("track_name"))
    return told.select("*", artist_key(F.col("artist_name")).alias("artist_key"), names.alias("name_key"))
