"""All rows of all dislikes.csv files, as read."""

from __future__ import annotations

from pyspark.sql import DataFrame

from bronze.landed import BATCH, ORIGIN
from ingestion import sources
from ingestion.dislikes import COLUMNS
from lakehouse.declare import table


@table(
    "bronze.dislike_rows",
    key=["file_hash", "row_number"],
    scope="file",
    schema=[*ORIGIN, *COLUMNS, *BATCH],
    sources=sources("dislike_rows"),
)
def dislike_rows(landed: DataFrame) -> DataFrame:
    """One row per row of a dislikes file, including files replaced later; silver.dislike_entries has the rows in force."""
    return landed
