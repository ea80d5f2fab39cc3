"""Rows that duplicate another row of the same source kind: overlapping exports, or two formats of one export."""

from __future__ import annotations

from collections.abc import Sequence

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from bronze.landed import listeners_of_files
from bronze.source_facts import SOURCE_FACTS, SourceFacts
from lakehouse.declare import column, satisfies, table
from silver.duplicates import identical_rows, other_formats, valid

REASONS = ("identical_row", "same_play_in_other_format")


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
    touches={"typed_history": (listeners_of_files, "typed_history")},
)
def repeated_rows(typed_history: DataFrame, *, source_facts: Sequence[SourceFacts] = SOURCE_FACTS) -> DataFrame:
    """One row per row of the history that duplicates the play of another row of the same source kind."""
    rows = valid(typed_history)
    identical = identical_rows(rows)
    formats = other_formats(rows, identical, source_facts)
    return identical.withColumn("reason", F.lit(REASONS[0])).unionByName(formats.withColumn("reason", F.lit(REASONS[1])))
