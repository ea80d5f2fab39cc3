"""What Spotify says of tracks, albums and artists, as read."""

from __future__ import annotations

from pyspark.sql import DataFrame

from bronze.landed import BATCH, ORIGIN
from ingestion import sources
from ingestion.spotify_answers import COLUMNS
from lakehouse.declare import table


@table(
    "bronze.spotify_answers",
    key=["file_hash", "row_number"],
    scope="file",
    schema=[*ORIGIN, *COLUMNS, *BATCH],
    sources=sources("spotify_answers"),
)
def spotify_answers(landed: DataFrame) -> DataFrame:
    """One row per answer about a track, album or artist, including those of ids that Spotify does not know."""
    return landed
