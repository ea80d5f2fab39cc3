"""Tracks with kept plays, named as on the latest play by a real listener."""

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
        column("track_name", "string", "title on the latest play by a real listener, else by a synthetic one"),
        column("artist_name", "string", "name on the same play"),
        column("album_name", "string", "name on the same play"),
        column("artist_key", "string", "hash of the case-folded artist name"),
        column("name_key", "string", "hash of case-folded artist and title; null if either is missing"),
        column("by_real", "boolean", "has a kept play by a real listener", nullable=False),
        column("by_synthetic", "boolean", "has a kept play by a synthetic listener", nullable=False),
    ],
)
def heard_tracks(plays: DataFrame) -> DataFrame:
    """One row per track with a kept play."""
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
