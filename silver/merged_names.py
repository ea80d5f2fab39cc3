"""Which names are one recording because ids of theirs have one ISRC?"""

from __future__ import annotations

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from lakehouse.declare import column, satisfies, table

MOST_NAMES = 5
"""Names that ISRCs may join. A wrong code that connects more of them joins none."""
STEPS = MOST_NAMES - 1
"""From one ISRC to the next: in so many, any of MOST_NAMES names is reached from any other."""
LONGEST_DIFFERENCE_MS = 10_000
"""Between the lengths of ids with one ISRC: releases differ in the silence around a recording, wrong codes in the song."""


@table(
    "silver.merged_names",
    key=["name_id"],
    scope="entity",
    schema=[
        column("name_id", "string", "name_id of silver.named_ids"),
        column("recording_id", "string", "recording of all these names: the least of their name_ids", nullable=False),
    ],
    rules=[satisfies("another name", ["name_id", "recording_id"], lambda: F.col("recording_id") < F.col("name_id"))],
)
def merged_names(named_ids: DataFrame, track_metadata: DataFrame) -> DataFrame:
    """One row per name that is part of another name's recording; none without ISRCs.

    Names that ISRCs connect, directly or through other names, are one recording if they are at most five. Of more than that, each
    name stays a recording of its own.
    """
    labelled = _links(named_ids, track_metadata).withColumn("label", F.col("name_id"))
    of_isrc, of_name = Window.partitionBy("isrc"), Window.partitionBy("name_id")
    for _ in range(STEPS):
        labelled = labelled.withColumn("label", F.min("label").over(of_isrc)).withColumn("label", F.min("label").over(of_name))
    # Names of one ISRC that differ still are parts of something too large.
    is_open = F.min("label").over(of_isrc) != F.max("label").over(of_isrc)
    names = labelled.withColumn("is_open", is_open).groupBy("name_id", "label").agg(F.max("is_open").alias("is_open"))
    groups = names.groupBy("label").agg(F.count(F.lit(1)).alias("names"), F.max("is_open").alias("is_open"))
    small = groups.where((F.col("names") <= MOST_NAMES) & ~F.col("is_open")).select("label")
    merged = names.where("label <> name_id").join(small, on="label", how="left_semi")
    return merged.select("name_id", F.col("label").alias("recording_id"))


def _links(named_ids: DataFrame, track_metadata: DataFrame) -> DataFrame:
    """One row (isrc, name_id) per ISRC and name of it, for ISRCs that can be believed to join several names."""
    coded = track_metadata.where("isrc IS NOT NULL").select("track_id", "isrc", "duration_ms")
    named = coded.join(named_ids.select("track_id", "name_id"), on="track_id", how="inner")
    lengths = [F.min("duration_ms").alias("shortest"), F.max("duration_ms").alias("longest")]
    links = named.groupBy("isrc", "name_id").agg(*lengths)
    of_isrc = [F.count(F.lit(1)).alias("names"), F.min("shortest").alias("shortest"), F.max("longest").alias("longest")]
    is_alike = F.coalesce(F.col("longest") - F.col("shortest") <= LONGEST_DIFFERENCE_MS, F.lit(True))
    believed = links.groupBy("isrc").agg(*of_isrc).where(F.col("names").between(2, MOST_NAMES) & is_alike)
    return links.join(believed.select("isrc"), on="isrc", how="left_semi").select("isrc", "name_id")
