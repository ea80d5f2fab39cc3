"""How many rows of the history each track id has: which of several ids represents a recording."""

from __future__ import annotations

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from lakehouse.declare import column, table
from music.populations import is_synthetic_play
from silver.duplicates import valid
from silver.named_ids import tracks_in_files


@table(
    "silver.track_rows",
    key=["track_id"],
    scope="entity",
    schema=[
        column("track_id", "string", "Spotify id, or local: + hash of folded artist and title"),
        column("rows", "bigint", "valid rows with this id, of real listeners where there are any", nullable=False, at_least=1),
    ],
    touches={"typed_history": (tracks_in_files, "typed_history")},
)
def track_rows(typed_history: DataFrame) -> DataFrame:
    """One row per track id of the history.

    Counts change with every play. They stand apart from silver.recording_ids so that a play rebuilds only its listener.
    """
    counts = valid(typed_history).groupBy("track_id")
    counted = counts.agg(F.count_if(~is_synthetic_play()).alias("real"), F.count(F.lit(1)).alias("all"))
    return counted.select("track_id", F.when(F.col("real") > 0, F.col("real")).otherwise(F.col("all")).alias("rows"))
