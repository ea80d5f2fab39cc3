"""Which genres does a listener hear most, in every week, month, quarter and year, and over all time?"""

from __future__ import annotations

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from gold.descriptive.periods import CHART_RULES, FIGURE_COLUMNS, PERIOD_COLUMNS, period_charts
from lakehouse.declare import column, table


@table(
    "gold.top_genres",
    key=["user_id", "period_type", "period_start", "rank"],
    scope="user",
    schema=[*PERIOD_COLUMNS, column("genre", "string", "genre of the catalogue", nullable=False), *FIGURE_COLUMNS],
    rules=CHART_RULES,
)
def top_genres(listening_with_features: DataFrame) -> DataFrame:
    """One row per listener, calendar period and rank: up to 100 genres by listens.

    A listen counts once, with all its minutes, for each genre of its track. Shares are of the period's listens that have a
    genre, so the shares of a period may add up to more than 1.
    """
    return period_charts(_play_by_genre(listening_with_features), "genre")


def _play_by_genre(plays: DataFrame) -> DataFrame:
    """One row per play and genre, and one row per play without a genre, which counts the play in the period's total."""
    genres = F.array_distinct(F.coalesce(F.col("genres"), F.array().cast("array<string>")))
    itself = F.array(F.lit(None).cast("string"))
    has_genre = F.size(genres) > 0
    figures = ("user_id", "date", "play_number", "is_listen", "ms_played")
    rows = plays.select(*figures, has_genre.alias("has_genre"), F.explode(F.concat(genres, itself)).alias("genre"))
    return rows.withColumn("in_total", F.col("is_listen") & F.col("has_genre") & F.col("genre").isNull())
