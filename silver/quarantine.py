"""Rows that cannot be plays, with the reason and the offending value."""

from __future__ import annotations

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from bronze.landed import listeners_of_files
from lakehouse.declare import column, table


@table(
    "silver.quarantine",
    key=["file_hash", "row_number"],
    scope="user",
    schema=[
        column("user_id", "string", "listener", nullable=False),
        column("file_hash", "string", "file of the bronze row"),
        column("row_number", "bigint", "position of the bronze row in its file"),
        column("file_name", "string", "where the file was found in the landing folder"),
        column("source", "string", "format of the file", nullable=False),
        column("reason", "string", "why the row cannot be a play", nullable=False),
        column("reason_value", "string", "offending value; null where it is missing"),
        column("track_name", "string", "as the source has it"),
        column("artist_name", "string", "as the source has it"),
    ],
    touches={"listening_history": (listeners_of_files, "listening_history")},
)
def quarantine(plays: DataFrame, listening_history: DataFrame) -> DataFrame:
    """One row per quarantined row of the history."""
    names = listening_history.groupBy("file_hash").agg(F.min("file_name").alias("file_name"))
    own = ["user_id", "file_hash", "row_number", "source", "reason", "reason_value", "track_name", "artist_name"]
    return plays.where(F.col("disposition") == "quarantined").select(*own).join(F.broadcast(names), on="file_hash", how="left")
