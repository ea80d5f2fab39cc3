"""Stand-in features for heard tracks without any other source, so that every play has values; marked as such in every table."""

from __future__ import annotations

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from lakehouse.declare import column, table
from music.audio_features import FEATURE_COLUMNS
from music.feature_ladder import with_features

STEPS = 1_000_000
# The middle half of the catalogue's values (quartiles of its 89,741 tracks), so that a stand-in is never an outlier.
SPAN = {
    "danceability": (0.45, 0.69),
    "energy": (0.46, 0.85),
    "valence": (0.25, 0.68),
    "acousticness": (0.02, 0.63),
    "instrumentalness": (0.0, 0.1),
    "speechiness": (0.04, 0.09),
    "liveness": (0.1, 0.28),
    "loudness": (-10.3, -5.1),
    "tempo": (99.3, 140.1),
}
CHOICES = {"time_signature": (4, 4), "key": (0, 11), "mode": (0, 1)}


def _uniform(name: str) -> Column:
    """A number in [0, 1) that depends only on the track and the feature's name."""
    return F.pmod(F.xxhash64(F.col("track_id"), F.lit(name)), F.lit(STEPS)) / F.lit(float(STEPS))


@table(
    "bronze.track_features_synthetic",
    key=["track_id"],
    scope="entity",
    schema=[column("track_id", "string", "Spotify id or local: id"), *FEATURE_COLUMNS],
)
def track_features_synthetic(
    heard_tracks: DataFrame,
    catalogue: DataFrame,
    catalogue_names: DataFrame,
    catalogue_artists: DataFrame,
    track_features: DataFrame,
    *,
    allow_synthetic: bool,
) -> DataFrame:
    """One row per heard track without measured features and without an artist in the catalogue; empty if not allowed."""
    covered = with_features(heard_tracks, catalogue, catalogue_names, catalogue_artists, track_features)
    uncovered = covered.where(F.col("feature_source").isNull() & F.lit(allow_synthetic))
    values = [
        F.round(F.lit(low) + _uniform(name) * F.lit(high - low), 4).cast("double").alias(name)
        for name, (low, high) in SPAN.items()
    ]
    choices = [
        (F.lit(low) + F.floor(_uniform(name) * F.lit(high - low + 1))).cast("int").alias(name)
        for name, (low, high) in CHOICES.items()
    ]
    return uncovered.select("track_id", *values, *choices)
