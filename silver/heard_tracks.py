"""The tracks that kept plays hold, named as the latest play of a real listener names them."""

from __future__ import annotations

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from lakehouse.declare import column, table
from music.names import artist_key, name_key
from music.populations import is_synthetic_play

NAMES = ("track_name", "artist_name", "album_name")
# More than any time in microseconds: plays of real listeners count as later than all of synthetic ones.
AFTER_SYNTHETIC = 10**17


@table(
    "silver.heard_tracks",
    key=["track_id"],
    scope="entity",
    schema=[
        column("track_id", "string", "Spotify id, or local: + hash of case-folded artist and title"),
        column("track_name", "string", "as the latest play of a real listener names it, else of a synthetic one"),
        column("artist_name", "string", "as that play names it"),
        column("album_name", "string", "as that play names it"),
        column("artist_key", "string", "hash of the case-folded artist name"),
        column("name_key", "string", "hash of case-folded artist and title; null without both"),
        column("by_real", "boolean", "a kept play of a real listener holds it", nullable=False),
        column("by_synthetic", "boolean", "a kept play of a synthetic listener holds it", nullable=False),
    ],
)
def heard_tracks(plays: DataFrame) -> DataFrame:
    """One row per track of a kept play."""
    recency = F.unix_micros("played_at") + F.when(is_synthetic_play(), 0).otherwise(AFTER_SYNTHETIC)
    kept = plays.where(F.col("disposition") == "kept").select("track_id", recency.alias("recency"), "play_id", *NAMES)
    # Names are compared only among the plays that start when a track's last one does, and one by one: as a struct is slow.
    last = kept.groupBy("track_id").agg(F.max("recency").alias("recency"), F.min("recency").alias("least"))
    latest = [F.max_by(name, "play_id").alias(name) for name in NAMES]
    at_last = kept.join(last, on=["track_id", "recency"], how="inner")
    named = at_last.groupBy("track_id", "recency", "least").agg(*latest)
    by = [(F.col("recency") >= AFTER_SYNTHETIC).alias("by_real"), (F.col("least") < AFTER_SYNTHETIC).alias("by_synthetic")]
    names = name_key(F.col("artist_name"), F.col("track_name"))
    keys = [artist_key(F.col("artist_name")).alias("artist_key"), names.alias("name_key")]
    return named.select("track_id", *NAMES, *by).select("*", *keys)
