"""Who hears a track, separately for real and synthetic listeners: no figure counts both."""

from __future__ import annotations

from pyspark.sql import DataFrame
from pyspark.sql import functions as F


def listeners_of_tracks(changed: DataFrame, rows: DataFrame) -> DataFrame:
    """The listeners with rows of the changed tracks: one row (user_id) each."""
    return rows.join(F.broadcast(changed), on="track_id", how="left_semi").select("user_id").distinct()


def with_hearers(tracks: DataFrame, heard_tracks: DataFrame) -> DataFrame:
    """Rows of silver.tracks with `by_real` and `by_synthetic`, and `is_known`: in the catalogue or by_real.

    Ids that only duplicate rows have are left out.

    Figures over tracks count only known tracks, so that they are the same with and without synthetic listeners.
    """
    heard = heard_tracks.select("track_id", "by_real", "by_synthetic")
    joined = tracks.join(heard, on="track_id", how="left")
    by = {name: F.coalesce(name, F.lit(False)) for name in ("by_real", "by_synthetic")}
    told = joined.withColumns(by).withColumn("is_known", F.col("in_catalogue") | F.col("by_real"))
    return told.where("is_known OR by_synthetic")
