"""Which time does each file of a listener reach over, so that it is known whether an export covers what a poll missed?"""

from __future__ import annotations

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from lakehouse.declare import column, satisfies, table


@table(
    "silver.coverage",
    key=["user_id", "file_hash"],
    scope="file",
    schema=[
        column("user_id", "string", "listener"),
        column("file_hash", "string", "file of the history"),
        column("source", "string", "format of the file", nullable=False),
        column("first_played_at", "timestamp", "start of the file's first play of the listener, UTC", nullable=False),
        column("last_ended_at", "timestamp", "end of the file's last play of the listener, UTC", nullable=False),
        column("plays", "bigint", "rows that are plays: neither quarantined nor set aside", nullable=False, at_least=1),
    ],
    rules=[
        satisfies(
            "first <= last", ["first_played_at", "last_ended_at"], lambda: F.col("first_played_at") <= F.col("last_ended_at")
        )
    ],
)
def coverage(typed_history: DataFrame) -> DataFrame:
    """One row per listener and file with at least one play, as the file has it, before duplicates and corrections."""
    plays = typed_history.where(F.col("set_aside").isNull() & F.col("problem").isNull())
    return plays.groupBy("user_id", "file_hash").agg(
        F.min("source").alias("source"),
        F.min("played_at").alias("first_played_at"),
        F.max(F.coalesce("ended_at", "played_at")).alias("last_ended_at"),
        F.count(F.lit(1)).alias("plays"),
    )
