"""What the descriptive tables share: aggregates over plays, distinct counts, streaks of days and the rules on them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from lakehouse.declare import Rule, satisfies
from music.listening import MINUTE_MS, not_synthetic, of_listens


def play_count() -> Column:
    """Aggregate: all plays, short ones included."""
    return F.count(F.lit(1))


def skip_told_count() -> Column:
    """Aggregate: plays whose source records whether they were skipped."""
    return F.count_if(F.col("tells_skip"))


def listen_count() -> Column:
    """Aggregate: plays of 30 s or more."""
    return F.count_if(F.col("is_listen"))


def ms_total() -> Column:
    """Aggregate: ms of all plays; 0 if no source reports it."""
    return F.coalesce(F.sum("ms_played"), F.lit(0).cast("bigint"))


def as_minutes(ms: Column) -> Column:
    """Whole ms as minutes, divided once after summing, so that the result does not depend on the order of rows."""
    return ms / F.lit(float(MINUTE_MS))


def mean_of_listens(feature: str) -> Column:
    """Aggregate: mean of a feature over the listens for which it is known; synthetic values count as unknown."""
    return F.avg(of_listens(not_synthetic(feature)))


def with_labels(rows: DataFrame, plays: DataFrame, names: Sequence[str], number: str = "latest") -> DataFrame:
    """Adds the labels of the listener's play with play_number `number`, and drops that column; null where it is null.

    This is cheaper than carrying the labels through the grouping, because only the remaining rows are looked up.
    """
    labels = plays.select("user_id", F.col("play_number").alias(number), *names)
    return rows.join(labels, on=["user_id", number], how="left").drop(number)


def occurrences(plays: DataFrame, by: Sequence[str], identities: Mapping[str, str]) -> DataFrame:
    """One row per `by`, kind and id that occurs, with its `plays`, `listens` and `ms`; `identities` maps a kind to its column.

    An `artist` counts with the artists that a correction splits its credit into. Counting these rows gives exact distinct counts
    of every kind from one scan, without holding sets in memory.
    """
    pairs = [F.struct(F.lit(kind).alias("kind"), F.col(name).cast("string").alias("id")) for kind, name in identities.items()]
    further = F.transform("further_artist_keys", lambda key: F.struct(F.lit("artist").alias("kind"), key.alias("id")))
    all_pairs = F.concat(F.array(*pairs), further) if "artist" in identities else F.array(*pairs)
    return (
        plays.select(*by, "is_listen", "ms_played", F.explode(all_pairs).alias("pair"))
        .select(*by, "is_listen", "ms_played", "pair.*")
        .where("id IS NOT NULL")
        .groupBy(*by, "kind", "id")
        .agg(play_count().alias("plays"), listen_count().alias("listens"), ms_total().alias("ms"))
    )


def number_of(kind: str) -> Column:
    """Aggregate over `occurrences`: how many distinct ids of a kind have a listen."""
    return F.count_if((F.col("kind") == kind) & (F.col("listens") > 0))


def with_streak(days: DataFrame, within: Sequence[str]) -> DataFrame:
    """Adds `streak_days` to rows of (`within`, date, listens).

    It is the number of consecutive dates with a listen up to and including this one; 0 on a date without a listen.
    """
    active = F.col("listens") > 0
    place = F.row_number().over(Window.partitionBy(*within, active).orderBy("date"))
    islands = days.withColumn("_island", F.date_sub("date", place))
    nth = F.row_number().over(Window.partitionBy(*within, active, "_island").orderBy("date"))
    return islands.withColumn("streak_days", F.when(active, nth).otherwise(F.lit(0))).drop("_island")


def no_more(fewer: str, more: str) -> Rule:
    """Rule: a part is never larger than its whole."""
    return satisfies(f"{fewer} <= {more}", [fewer, more], lambda: F.col(fewer) <= F.col(more))
