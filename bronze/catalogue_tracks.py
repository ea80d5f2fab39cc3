"""Other catalogues than the usual one, as read: one row per row of the data set."""

from __future__ import annotations

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from bronze.landed import BATCH, ORIGIN
from ingestion import sources
from ingestion.catalogues import COLUMNS
from lakehouse.declare import Rule, satisfies, table
from music.audio_features import CATALOGUE_RANGES
from music.catalogues import catalogue_number


def possible(name: str) -> Rule:
    """Counts values that are no number within the range, in digits or words; silver sets them to null.

    A null is no violation, because no layout has all columns.
    """

    def predicate() -> Column:
        return F.col(name).isNull() | catalogue_number(name).isNotNull()

    return satisfies(f"possible({name})", [name], predicate, "WARN")


@table(
    "bronze.catalogue_tracks",
    key=["file_hash", "row_number"],
    scope="whole",
    schema=[*ORIGIN, *COLUMNS, *BATCH],
    rules=[possible(name) for name in CATALOGUE_RANGES],
    sources=sources("catalogue_tracks"),
)
def catalogue_tracks(landed: DataFrame) -> DataFrame:
    """One row per row of a catalogue's file, under the names of the usual catalogue; numbers as text, artists as a list."""
    return landed
