"""Which tracks does a listener hear most, in every week, month, quarter and year, and over all time?"""

from __future__ import annotations

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from gold.descriptive.periods import CHART_RULES, FIGURE_COLUMNS, PERIOD_COLUMNS, period_charts
from lakehouse.declare import column, table


@table(
    "gold.top_tracks",
    key=["user_id", "period_type", "period_start", "rank"],
    scope="user",
    schema=[
        *PERIOD_COLUMNS,
        column(
            "track_id", "string", "Spotify id, or local: + hash of artist and title; represents its recording", nullable=False
        ),
        column("recording_id", "string", "recording of the track", nullable=False),
        column("track_name", "string", "as named on the latest play"),
        column("artist_name", "string", "as named on the latest play"),
        *FIGURE_COLUMNS,
    ],
    rules=CHART_RULES,
)
def top_tracks(listening_with_features: DataFrame) -> DataFrame:
    """One row per listener, calendar period and rank: up to 100 tracks by listens."""
    plays = listening_with_features.withColumn("in_total", F.col("is_listen"))
    return period_charts(plays, "track_id", ["recording_id", "track_name", "artist_name"])
