"""Leaves out tracks that the catalogue marks as explicit, for listeners who want no explicit lyrics."""

from __future__ import annotations

from pyspark.sql import DataFrame
from pyspark.sql import functions as F


def without_explicit(rows: DataFrame, catalogue_recordings: DataFrame) -> DataFrame:
    """The rows (with track_id and recording) without those that the catalogue marks as explicit.

    A track is looked up by its id or, if the catalogue lacks it, by its recording's first id. Unknown tracks stay.
    """
    by_id = catalogue_recordings.select("track_id", F.col("explicit").alias("_own"))
    by_name = catalogue_recordings.where("is_first").select("recording", F.col("explicit").alias("_named"))
    joined = rows.join(by_id, on="track_id", how="left").join(by_name, on="recording", how="left")
    return joined.where(~F.coalesce("_own", "_named", F.lit(False))).drop("_own", "_named")
