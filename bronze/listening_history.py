"""Every row of every source of listening history, as read, less personal data."""

from __future__ import annotations

from pyspark.sql import DataFrame

from bronze.landed import BATCH, ORIGIN
from bronze.source_facts import SOURCE_FACTS, kinds_of
from ingestion import sources
from ingestion.history import FIELDS
from lakehouse.declare import column, is_in, table


@table(
    "bronze.listening_history",
    key=["file_hash", "row_number"],
    scope="file",
    schema=[
        *ORIGIN,
        *[column(name, "string", meaning, nullable=name not in ("user_id", "source_kind")) for name, meaning in FIELDS.items()],
        *BATCH,
    ],
    rules=[is_in("source_kind", [kind.name for kind in kinds_of(SOURCE_FACTS)])],
    sources=sources("listening_history"),
)
def listening_history(landed: DataFrame) -> DataFrame:
    """One row per row of a landing file of listening history; text as the source wrote it."""
    return landed
