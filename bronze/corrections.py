"""All lines of all corrections.csv files, as read."""

from __future__ import annotations

from pyspark.sql import DataFrame

from bronze.landed import BATCH, ORIGIN
from ingestion import sources
from ingestion.corrections import COLUMNS
from lakehouse.declare import table


@table(
    "bronze.corrections",
    key=["file_hash", "row_number"],
    scope="file",
    schema=[*ORIGIN, *COLUMNS, *BATCH],
    sources=sources("corrections"),
)
def corrections(landed: DataFrame) -> DataFrame:
    """One row per line of a corrections file, including files replaced later; silver.correction_lines has the lines in force."""
    return landed
