"""Which artists does a listener hear most, in every week, month, quarter and year, and over all time?"""

from __future__ import annotations

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from gold.descriptive.periods import CHART_RULES, FIGURE_COLUMNS, PERIOD_COLUMNS, period_charts
from lakehouse.declare import column, table


@table(
    "gold.top_artists",
    key=["user_id", "period_type", "period_start", "rank"],
    scope="user",
    schema=[
        *PERIOD_COLUMNS,
        column("artist_key", "string", "hash of the case-folded artist name", nullable=False),
        column("artist_name", "string", "as named on the latest play"),
        *FIGURE_COLUMNS,
    ],
    rules=CHART_RULES,
)
def top_artists(listening_with_features: DataFrame) -> DataFrame:
    """One row per listener, calendar period and rank: up to 100 artists by listens.

    Shares are of all listens of the period, including those without an artist.
    """
    return period_charts(listening_with_features.withColumn("in_total", F.col("is_listen")), "artist_key", ["artist_name"])
