"""Which lists of a listener's own count: what lies in the landing folder now, or lay there last."""

from __future__ import annotations

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F


def in_force(ingestion_state: DataFrame, target: str) -> DataFrame:
    """One row (file_hash, file_name, user_id) per place in the landing folder of a file of a bronze table: the content in force.

    This is the current content or, if the file has vanished, its last content. A file that was moved counts at its new
    location.
    """
    is_read = (F.col("target") == target) & F.col("status").isin("ingested", "duplicate")
    latest_first = Window.partitionBy("path").orderBy(F.desc("is_present"), F.desc("run_id"), "file_hash")
    return (
        ingestion_state.withColumn("is_taken", F.max("is_present").over(Window.partitionBy("path")))
        .where(is_read)
        .withColumn("place", F.row_number().over(latest_first))
        .withColumn("is_elsewhere", F.max("is_present").over(Window.partitionBy("file_hash")))
        .where("place = 1 AND (is_taken OR NOT is_elsewhere)")
        .select("file_hash", F.col("path").alias("file_name"), F.col("listener").alias("user_id"))
    )
