"""What each listener does not want to hear, track by track: recommendations exclude these tracks."""

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
            "track: an entry names this recording; artist: entries only name one of its artists",
            nullable=False,
            one_of=("track", "artist"),
        ),
        column("told", "string", "entry as the listener's file has it: the id, or artist and title", nullable=False),
        column("entries", "bigint", "number of the listener's entries that match the track", nullable=False, at_least=1),
    ],
)
def dislikes(dislike_entries: DataFrame) -> DataFrame:
    """One row per listener and track that matches a dislikes file in force, with all ids of a recording."""
    meant = dislike_entries.select("user_id", "kind", "told", F.explode("track_ids").alias("track_id"))
    # The greatest struct wins: a named track before a named artist.
    chosen = meant.groupBy("user_id", "track_id").agg(
        F.max(F.struct("kind", "told")).alias("chosen"), F.count("*").alias("entries")
    )
    return chosen.select(
        "user_id", "track_id", F.col("chosen")["kind"].alias("reason"), F.col("chosen")["told"].alias("told"), "entries"
    )
