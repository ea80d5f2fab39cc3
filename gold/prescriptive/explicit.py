"""Which tracks a listener who wants no explicit lyrics is not to get, as far as the catalogue knows."""

from __future__ import annotations

from pyspark.sql import DataFrame
from pyspark.sql import functions as F


def without_explicit(rows: DataFrame, catalogue_recordings: DataFrame) -> DataFrame:
    """The rows (with track_id and recording) less those that the catalogue calls explicit.

    By the track's id; where the catalogue lacks that, by its recording's first id. What it does not know at all stays.
    """
    by_id = catalogue_recordings.select("track_id", F.col("explicit").alias("_own"))
    by_name = catalogue_recordings.where("is_first").select("recording", F.col("explicit").alias("_named"))
    joined = rows.join(by_id, on="track_id", how="left").join(by_name, on="recording", how="left")
    return joined.where(~F.coalesce("_own", "_named", F.lit(False))).drop("_own", "_named")
