"""Audio features measured by the Spotify API, while it serves them."""

from __future__ import annotations

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from lakehouse.declare import column, table
from music.audio_features import FEATURE_COLUMNS, FEATURES


def tracks_in_files(changed: DataFrame, rows: DataFrame) -> DataFrame:
    """The tracks that answers in the changed files are about: one row (track_id) each."""
    return rows.join(F.broadcast(changed), on="file_hash", how="left_semi").select("track_id").distinct()


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
    touches={"audio_feature_answers": (tracks_in_files, "audio_feature_answers")},
)
def track_features(audio_feature_answers: DataFrame) -> DataFrame:
    """One row per track with features from the API, from the newest answer that has any; empty while it serves none."""
    told = audio_feature_answers.where(F.coalesce(*FEATURES).isNotNull())
    values = (*FEATURES, "_batch_id", "_ingested_at")
    at = F.struct("fetched_at", "file_hash", "row_number")
    return (
        told.groupBy("track_id")
        .agg(F.max_by(F.struct(*values), at).alias("newest"))
        .select("track_id", *[F.col("newest")[name].alias(name) for name in values])
    )
