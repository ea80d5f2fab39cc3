"""What the gold tables share about listens: which features count, and how measured they are."""

from __future__ import annotations

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

MINUTE_MS = 60_000


def listens(listening_with_features: DataFrame) -> DataFrame:
    """The plays of 30 s or more; charts count these unless they say plays."""
    return listening_with_features.where("is_listen")


def known(feature: str) -> Column:
    """A feature's value for statistics: null where it is synthetic, so that no made-up number enters a figure."""
    return F.when(F.col("feature_source") != "synthetic", F.col(feature))


def known_mood() -> Column:
    """mood_category, null where the features are synthetic."""
    return known("mood_category")


def measured_share() -> Column:
    """Aggregate: share (0-1) of the group's rows whose features are measured, not estimated."""
    return F.avg(F.col("is_measured").cast("double"))


def told_skip() -> Column:
    """1.0 for a skipped play, 0.0 for one that was not, null where the source does not tell."""
    return F.when(F.col("tells_skip"), F.col("is_skip").cast("double"))


def minutes() -> Column:
    """Aggregate: minutes listened, exact in ms before the division."""
    return F.coalesce(F.sum("ms_played"), F.lit(0)) / F.lit(MINUTE_MS)
