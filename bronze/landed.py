"""Columns at the beginning and end of every bronze table of landing files."""

from __future__ import annotations

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from lakehouse.declare import column

ORIGIN = (
    column("file_hash", "string", "SHA-256 of the file's content"),
    column("row_number", "bigint", "position of the row in its file, from 1"),
    column(
        "file_name",
        "string",
        "where the file was found in the landing folder; zip!member for members of an archive",
        nullable=False,
    ),
    column("source", "string", "format of the file", nullable=False),
)
BATCH = (
    column("_batch_id", "string", "run that ingested the row", nullable=False),
    column("_ingested_at", "timestamp", "start of that run, UTC", nullable=False),
)


def listeners_of_files(changed: DataFrame, rows: DataFrame) -> DataFrame:
    """The listeners with rows in the changed files: one row (user_id) each."""
    return rows.join(F.broadcast(changed), on="file_hash", how="left_semi").select("user_id").distinct()
