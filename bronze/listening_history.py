"""All rows of all sources of listening history, as read, without personal data."""

from __future__ import annotations

from pyspark.sql import DataFrame

from bronze.landed import BATCH, ORIGIN
from bronze.source_facts import SOURCE_FACTS, kinds_of
from ingestion import explainers, sources
from ingestion.history import COLUMNS
from lakehouse.declare import column, table

KINDS = tuple(kind.name for kind in kinds_of(SOURCE_FACTS))


@table(
    "bronze.listening_history",
    key=["file_hash", "row_number"],
    scope="file",
    schema=[
        *ORIGIN,
        column("source_kind", "string", "kind of source, such as export or scrobble", nullable=False, one_of=KINDS),
        column(
            "user_id",
            "string",
            "listener named inside the file, prefixed with its source; else the listener the file belongs to",
            nullable=False,
        ),
        *COLUMNS,
        *BATCH,
    ],
    sources=sources("listening_history"),
    explainers=explainers(),
)
def listening_history(landed: DataFrame) -> DataFrame:
    """One row per row of a landing file of listening history, as text."""
    return landed
