"""All rows of all sources of listening history, as read, without personal data."""

from __future__ import annotations

from pyspark.sql import DataFrame

from bronze.landed import BATCH, ORIGIN
from bronze.source_facts import SOURCE_FACTS, kinds_of
from ingestion import sources
from ingestion.history import FIELDS
from lakehouse.declare import column, table

KINDS = tuple(kind.name for kind in kinds_of(SOURCE_FACTS))


@table(
    "bronze.listening_history",
    key=["file_hash", "row_number"],
    scope="file",
    schema=[
        *ORIGIN,
        column("source_kind", "string", FIELDS["source_kind"], nullable=False, one_of=KINDS),
        column("user_id", "string", FIELDS["user_id"], nullable=False),
        *[column(name, "string", meaning) for name, meaning in FIELDS.items() if name not in ("source_kind", "user_id")],
        *BATCH,
    ],
    sources=sources("listening_history"),
)
def listening_history(landed: DataFrame) -> DataFrame:
    """One row per row of a landing file of listening history, as text."""
    return landed
