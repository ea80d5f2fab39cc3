"""Plays that a richer kind of source contains too: the same play in an export, the API, account data or scrobbles."""

from __future__ import annotations

from collections.abc import Sequence

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from bronze.landed import listeners_of_files
from bronze.source_facts import SOURCE_FACTS, SourceFacts
from lakehouse.declare import column, satisfies, table
from silver.duplicates import REASONS, across_kinds, of_several, valid, with_recordings, with_repeats
from silver.hearers import listeners_of_tracks


@table(
    "silver.repeated_plays",
    key=["row_id"],
    scope="user",
    schema=[
        column("user_id", "string", "listener", nullable=False),
        column("row_id", "string", "duplicate row of silver.typed_history"),
        column("keeper", "string", "row_id of the row it duplicates, which may be in silver.repeated_rows", nullable=False),
        column("source_kind", "string", "source kind of the duplicate row", nullable=False),
        column("reason", "string", "how the two rows were matched", nullable=False, one_of=REASONS),
    ],
    rules=[satisfies("no row repeats itself", ["row_id", "keeper"], lambda: F.col("row_id") != F.col("keeper"))],
    touches={
        "typed_history": (listeners_of_files, "typed_history"),
        "recording_ids": (listeners_of_tracks, "typed_history"),
    },
)
def repeated_plays(
    typed_history: DataFrame,
    recording_ids: DataFrame,
    repeated_rows: DataFrame,
    *,
    source_facts: Sequence[SourceFacts] = SOURCE_FACTS,
) -> DataFrame:
    """One row per play that a richer kind of source contains too, without rows repeated within a source."""
    several = of_several(valid(typed_history), source_facts)
    if several.isEmpty():
        # Most people have one source, and need not wait for a comparison with others.
        none = repeated_rows.where(F.lit(False))
        return none.select("user_id", "row_id", "keeper", F.lit(None).cast("string").alias("source_kind"), "reason")
    return across_kinds(with_recordings(with_repeats(several, repeated_rows), recording_ids), source_facts)
