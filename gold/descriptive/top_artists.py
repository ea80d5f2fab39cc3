"""Which artists does a listener hear most, in every week, month, quarter and year, and over all time?"""

from __future__ import annotations

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from gold.descriptive.periods import CHART_RULES, FIGURE_COLUMNS, PERIOD_COLUMNS, period_charts
from lakehouse.declare import column, table
from music.listening import MOST_CREDITS, by_artist


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

    Shares are of all listens of the period, including those without an artist. A play counts for every artist that a
    correction splits its credit into, and once in the total.
    """
    plays = by_artist(listening_with_features)
    is_first = F.pmod("play_number", F.lit(MOST_CREDITS)) == 0
    return period_charts(plays.withColumn("in_total", F.col("is_listen") & is_first), "artist_key", ["artist_name"])
