"""What live sources say of artists, as read."""

from __future__ import annotations

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from bronze.landed import BATCH, ORIGIN
from ingestion import sources
from ingestion.artist_answers import COLUMNS
from lakehouse.declare import column, table
from music.names import artist_key


@table(
    "bronze.artist_answers",
    key=["file_hash", "row_number"],
    scope="file",
    schema=[
        *ORIGIN,
        *COLUMNS,
        column("artist_key", "string", "key that was asked for, else the hash of the folded name", nullable=False),
        *BATCH,
    ],
    sources=sources("artist_answers"),
)
def artist_answers(landed: DataFrame) -> DataFrame:
    """One row per tag or similar artist of an answer, including answers replaced later; one without a value for none."""
    return landed.withColumn("artist_key", F.coalesce("asked_key", artist_key(F.col("artist_folded"))))
