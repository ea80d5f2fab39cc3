"""Where do the audio features of a listener's plays come from, and how many have none?"""

from __future__ import annotations

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from gold.descriptive.figures import listen_count, no_more, play_count
from lakehouse.declare import column, table
from music.audio_features import LADDER, MEASURED
from music.statistics import ratio

NONE = "none"


@table(
    "gold.feature_source_coverage",
    key=["user_id", "feature_source"],
    scope="user",
    schema=[
        column("user_id", "string", "listener"),
        column(
            "feature_source", "string", "rung of the feature ladder; `none` for plays without features", one_of=[*LADDER, NONE]
        ),
        column("record_count", "bigint", "plays, short ones included", nullable=False, at_least=1),
        column("listen_count", "bigint", "plays of 30 s or more", nullable=False),
        column(
            "percentage",
            "double",
            "record_count as a percentage of the listener's plays, 0-100",
            nullable=False,
            between=(0, 100),
        ),
        column("measured", "boolean", "the rung provides measured features, not estimates", nullable=False),
    ],
    rules=[no_more("listen_count", "record_count")],
)
def feature_source_coverage(listening_with_features: DataFrame) -> DataFrame:
    """One row per listener and rung of the feature ladder that occurs; percentages add up to 100 per listener."""
    source = F.coalesce(F.col("feature_source"), F.lit(NONE))
    counts = listening_with_features.groupBy("user_id", source.alias("feature_source")).agg(
        play_count().alias("record_count"), listen_count().alias("listen_count")
    )
    all_plays = F.sum("record_count").over(Window.partitionBy("user_id"))
    return counts.select(
        "*",
        ratio(F.lit(100) * F.col("record_count"), all_plays).alias("percentage"),
        F.col("feature_source").isin(list(MEASURED)).alias("measured"),
    )
