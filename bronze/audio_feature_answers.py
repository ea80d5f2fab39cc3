"""What Spotify says of the sound of tracks, as read."""

from __future__ import annotations

from pyspark.sql import DataFrame

from bronze.landed import BATCH, ORIGIN
from ingestion import sources
from ingestion.audio_feature_answers import COLUMNS
from lakehouse.declare import table


@table(
    "bronze.audio_feature_answers",
    key=["file_hash", "row_number"],
    scope="file",
    schema=[*ORIGIN, *COLUMNS, *BATCH],
    sources=sources("audio_feature_answers"),
)
def audio_feature_answers(landed: DataFrame) -> DataFrame:
    """One row per answer about a track's audio features, including empty ones."""
    return landed
