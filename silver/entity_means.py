"""Mean features of an artist or album: over measured tracks only, so that an estimate never feeds on estimates."""

from __future__ import annotations

from pyspark.sql import Column
from pyspark.sql import functions as F

from bronze.audio_features import CONTINUOUS, FEATURE_COLUMNS, MEASURED
from lakehouse.table import Column as TableColumn
from lakehouse.table import column

MEAN_COLUMNS: tuple[TableColumn, ...] = (
    column("measured_tracks", "bigint", "tracks whose features are measured; the means are over these", nullable=False),
    *[column(c.name, c.type, f"mean {c.comment}") for c in FEATURE_COLUMNS if c.name in CONTINUOUS],
)


def measured_means() -> list[Column]:
    """Aggregates for MEAN_COLUMNS over rows of silver.tracks."""
    is_measured = F.col("feature_source").isin(*MEASURED)
    means = [F.avg(F.when(is_measured, F.col(name))).alias(name) for name in CONTINUOUS]
    return [F.count_if(is_measured).alias("measured_tracks"), *means]
