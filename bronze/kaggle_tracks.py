"""The Kaggle catalogue as read: one row per track and genre."""

from __future__ import annotations

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from bronze.landed import BATCH, ORIGIN
from ingestion import sources
from ingestion.kaggle_tracks import COLUMNS
from lakehouse.declare import Rule, satisfies, table
from music.audio_features import CATALOGUE_RANGES


def possible(name: str, low: float, high: float) -> Rule:
    """Counts values that are not a number within the range; silver sets them to null, so that no mean includes them."""

    def predicate() -> Column:
        return F.col(name).try_cast("double").between(low, high)

    return satisfies(f"possible({name})", [name], predicate, "WARN")


@table(
    "bronze.kaggle_tracks",
    key=["file_hash", "row_number"],
    scope="whole",
    schema=[
        *ORIGIN,
        *COLUMNS,
        *BATCH,
    ],
    rules=[possible(name, low, high) for name, (low, high) in CATALOGUE_RANGES.items()],
    sources=sources("kaggle_tracks"),
)
def kaggle_tracks(landed: DataFrame) -> DataFrame:
    """One row per row of a catalogue file, as text."""
    return landed
