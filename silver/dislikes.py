"""What each listener does not want to hear, track by track: what recommendations leave out."""

from __future__ import annotations

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from lakehouse.declare import column, table


@table(
    "silver.dislikes",
    key=["user_id", "track_id"],
    scope="user",
    schema=[
        column("user_id", "string", "listener"),
        column("track_id", "string", "Spotify id, or local: + hash of case-folded artist and title"),
        column(
            "reason",
            "string",
            "track: the listener names this recording; artist: only one of its artists",
            nullable=False,
            one_of=("track", "artist"),
        ),
        column("told", "string", "what the listener's file says: the id, or artist and title", nullable=False),
        column("entries", "bigint", "entries of the listener's files that mean the track", nullable=False, at_least=1),
    ],
)
def dislikes(dislike_entries: DataFrame) -> DataFrame:
    """One row per listener and track that a dislikes file in force means, every id of a recording among them."""
    meant = dislike_entries.select("user_id", "kind", "told", F.explode("track_ids").alias("track_id"))
    # The greatest struct wins: a named track before a named artist.
    chosen = meant.groupBy("user_id", "track_id").agg(
        F.max(F.struct("kind", "told")).alias("chosen"), F.count("*").alias("entries")
    )
    return chosen.select(
        "user_id", "track_id", F.col("chosen")["kind"].alias("reason"), F.col("chosen")["told"].alias("told"), "entries"
    )
