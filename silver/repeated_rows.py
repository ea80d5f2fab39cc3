"""Rows that repeat the play of another row of their source: overlapping exports, two formats, a listen sent twice."""

from __future__ import annotations

from collections.abc import Sequence

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from bronze.landed import listeners_of_files
from bronze.source_facts import SOURCE_FACTS, SourceFacts
from lakehouse.declare import column, satisfies, table
from silver.duplicates import valid, with_recordings
from silver.hearers import listeners_of_tracks
from silver.repeats import REASONS, within_sources


@table(
    "silver.repeated_rows",
    key=["row_id"],
    scope="user",
    schema=[
        column("user_id", "string", "listener", nullable=False),
        column("row_id", "string", "duplicate row of silver.typed_history"),
        column("keeper", "string", "row_id of the row it duplicates", nullable=False),
        column("reason", "string", "how the two rows were matched", nullable=False, one_of=REASONS),
    ],
    rules=[satisfies("no row repeats itself", ["row_id", "keeper"], lambda: F.col("row_id") != F.col("keeper"))],
    touches={
        "typed_history": (listeners_of_files, "typed_history"),
        "recording_ids": (listeners_of_tracks, "typed_history"),
    },
)
def repeated_rows(
    typed_history: DataFrame, recording_ids: DataFrame, *, source_facts: Sequence[SourceFacts] = SOURCE_FACTS
) -> DataFrame:
    """One row per row of the history that duplicates the play of another row of the same source."""
    return within_sources(with_recordings(valid(typed_history), recording_ids), source_facts)
