"""Audio features measured by the Spotify API, if a source provides them."""

from __future__ import annotations

from pyspark.sql import DataFrame

from ingestion import sources
from lakehouse.declare import column, table
from music.audio_features import FEATURE_COLUMNS


@table(
    "bronze.track_features",
    key=["track_id"],
    scope="entity",
    schema=[
        column("track_id", "string", "Spotify id"),
        *FEATURE_COLUMNS,
        column("_batch_id", "string", "run that ingested the row"),
        column("_ingested_at", "timestamp", "start of that run, UTC"),
    ],
    sources=sources("track_features"),
)
def track_features(landed: DataFrame) -> DataFrame:
    """One row per track with features from the API; empty while no source provides them."""
    return landed
