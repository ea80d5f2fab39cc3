"""What of a session tells its kind: the measures that personas are learned from and sessions are scored on."""

from __future__ import annotations

import math

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from music.local_time import of_local_time
from music.statistics import ratio

HOUR_ANGLE = math.pi / 12

FEATURES = ("log_plays", "variety", "skip_rate", "valence", "energy", "hour_sine", "hour_cosine")


def session_features(sessions: DataFrame) -> DataFrame:
    """Rows of silver.sessions with FEATURES: one row per session.

    `log_plays` is the natural logarithm, `variety` artists per play (0-1, null where none is named), the hour of the
    start two coordinates on the clock's circle, so that 23 lies next to 0; both are null if the time zone is unknown.
    """
    return sessions.select("*", *[value.alias(name) for name, value in _features().items()])


def _features() -> dict[str, Column]:
    angle = F.col("start_hour").cast("double") * F.lit(HOUR_ANGLE)
    return {
        "log_plays": F.log(F.col("plays").cast("double")),
        "variety": ratio(F.nullif("unique_artists", F.lit(0)), F.col("plays")),
        "valence": F.col("avg_valence"),
        "energy": F.col("avg_energy"),
        "hour_sine": of_local_time(F.sin(angle)),
        "hour_cosine": of_local_time(F.cos(angle)),
    }
