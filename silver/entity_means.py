"""Columns that artists and albums share: how many tracks they have, who heard them, and their mean features.

Means are over measured tracks only, so that no estimate is based on other estimates. All columns except
`heard_by_synthetic` cover only the tracks of the catalogue and of real listeners, so that synthetic listeners do not affect
them.
"""

from __future__ import annotations

from dataclasses import replace

from pyspark.sql import Column
from pyspark.sql import functions as F

from lakehouse.declare import Column as TableColumn
from lakehouse.declare import column, satisfies
from music.audio_features import CONTINUOUS, FEATURE_COLUMNS, MEASURED

HEARD_COLUMNS: tuple[TableColumn, ...] = (
    column(
        "tracks", "bigint", "number of its tracks that are in the catalogue or were played by a real listener", nullable=False
    ),
    column("heard_tracks", "bigint", "number of those tracks with a kept play by a real listener", nullable=False),
    column(
        "heard_by_synthetic",
        "bigint",
        "number of tracks with a kept play by a synthetic listener; not counted in any other column",
        nullable=False,
    ),
)
MEAN_COLUMNS: tuple[TableColumn, ...] = (
    column("measured_tracks", "bigint", "number of `tracks` with measured features; the means are over these", nullable=False),
    *[replace(c, comment=f"mean {c.comment}") for c in FEATURE_COLUMNS if c.name in CONTINUOUS],
)
NOT_EMPTY = satisfies(
    "there is a track", ["tracks", "heard_by_synthetic"], lambda: F.greatest("tracks", "heard_by_synthetic") >= 1
)


def heard_counts() -> list[Column]:
    """Aggregates for HEARD_COLUMNS over rows of `with_hearers`."""
    counted = {"tracks": "is_known", "heard_tracks": "by_real", "heard_by_synthetic": "by_synthetic"}
    return [F.count_if(flag).alias(name) for name, flag in counted.items()]


def measured_means() -> list[Column]:
    """Aggregates for MEAN_COLUMNS over rows of `with_hearers`."""
    is_counted = F.col("is_known") & F.col("feature_source").isin(*MEASURED)
    means = [F.avg(F.when(is_counted, F.col(name))).alias(name) for name in CONTINUOUS]
    return [F.count_if(is_counted).alias("measured_tracks"), *means]


def preferred(name: str) -> Column:
    """Aggregate over rows of `with_hearers`: the first spelling in character order, from known tracks if there are any."""
    return F.coalesce(F.min(F.when(F.col("is_known"), F.col(name))), F.min(name))
