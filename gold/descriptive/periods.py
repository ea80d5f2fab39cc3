"""Charts by calendar period: what a listener heard most in every week, month, quarter and year, and over all time.

Rows take three forms, each smaller than the one before: plays, cells (a week within a month; every period consists of
cells) and charts. Only cells are multiplied by the number of period types. Names are looked up only for entries of a chart.
"""

from __future__ import annotations

from collections.abc import Sequence

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from gold.descriptive.figures import as_minutes, listen_count, ms_total, no_more, play_count, with_labels
from lakehouse.declare import Column as TableColumn
from lakehouse.declare import Rule, column, satisfies
from music.statistics import ratio

ALL_TIME = "all_time"
MONTHS = {"month": 1, "quarter": 3, "year": 12}
PERIOD_TYPES = ("week", *MONTHS, ALL_TIME)
TOP = 100

PERIOD_COLUMNS: tuple[TableColumn, ...] = (
    column("user_id", "string", "listener"),
    column("period_type", "string", "week (from Monday), month, quarter, year or all_time", one_of=PERIOD_TYPES),
    column("period_start", "date", "first date of the period; for all_time, the date of the listener's first play"),
    column("rank", "int", "1 = most listens; ties go to most ms, then lowest key; up to 100", between=(1, TOP)),
)
FIGURE_COLUMNS: tuple[TableColumn, ...] = (
    column("listen_count", "bigint", "plays of 30 s or more in the period", nullable=False, at_least=1),
    column("play_count", "bigint", "plays in the period, short ones included", nullable=False),
    column("minutes", "double", "minutes listened in the period, short plays included", nullable=False, at_least=0),
    column("share_of_listens", "double", "share (0-1) of the period's listens", nullable=False),
    column("is_new", "boolean", "the listener played it for the first time in this period", nullable=False),
)
CHART_RULES: tuple[Rule, ...] = (
    no_more("listen_count", "play_count"),
    satisfies("0 < share_of_listens <= 1", ["share_of_listens"], lambda: F.col("share_of_listens").between(1e-12, 1)),
    satisfies(
        "periods start where the calendar says",
        ["period_type", "period_start"],
        lambda: (F.col("period_type") == ALL_TIME) | (F.col("period_start") == _start_of_named_period()),
    ),
)


def period_charts(rows: DataFrame, key: str, names: Sequence[str] = ()) -> DataFrame:
    """One row per listener, period and rank: up to 100 values of `key` with the most listens in the period (at least one).

    `rows` are plays, or several rows for a play that has several keys. `in_total` says whether the row counts as one of the
    period's listens in the share; rows without a key count only there. `names` come from the listener's latest play of the
    key in any period, so that charts never show the same thing under two names.
    """
    totals = Window.partitionBy("user_id", "period", "period_start")
    periods = (
        _by_period(_cells(rows, key), [] if names else [key])
        .withColumns({"total": F.sum("total").over(totals), "period_first_date": F.min("period_first_date").over(totals)})
        .where(F.col("number").isNotNull() & (F.col("listen_count") > 0))
    )
    order = totals.orderBy(F.desc("listen_count"), F.desc("ms"), "number")
    charts = periods.withColumn("rank", F.row_number().over(order)).where(F.col("rank") <= TOP)
    named = with_labels(charts, rows, [key, *names]) if names else charts
    return named.select(
        "user_id",
        F.element_at(F.array(*[F.lit(kind) for kind in PERIOD_TYPES]), F.col("period")).alias("period_type"),
        F.coalesce("period_start", "period_first_date").alias("period_start"),
        "rank",
        key,
        *names,
        "listen_count",
        "play_count",
        as_minutes(F.col("ms")).alias("minutes"),
        ratio(F.col("listen_count"), F.col("total")).alias("share_of_listens"),
        (F.col("first_ever") >= F.coalesce("period_start", "period_first_date")).alias("is_new"),
    )


def _cells(rows: DataFrame, key: str) -> DataFrame:
    """One row per listener, key, week and month: figures that add up to those of periods, and the date of the first ever play.

    `number` replaces the key within a listener, in the same order, because grouping and sorting by numbers is cheaper.
    """
    cells = rows.groupBy("user_id", key, _start("week").alias("week"), _start("month").alias("month")).agg(
        play_count().alias("play_count"),
        listen_count().alias("listen_count"),
        ms_total().alias("ms"),
        F.count_if(F.col("in_total")).alias("total"),
        F.min("date").alias("first_date"),
        F.max("play_number").alias("last_play"),
    )
    always = Window.partitionBy("user_id", key)
    number = F.dense_rank().over(Window.partitionBy("user_id").orderBy(key))
    return cells.withColumns(
        {
            "first_ever": F.min("first_date").over(always),
            "latest": F.max("last_play").over(always),
            "number": F.when(F.col(key).isNotNull(), number),
        }
    )


def _by_period(cells: DataFrame, kept: Sequence[str]) -> DataFrame:
    """One row per listener, period (its place in PERIOD_TYPES) and number, with the columns `kept`; all_time has no start yet."""
    periods = [F.struct(F.lit(code).alias("period"), start) for code, start in enumerate(_starts(), start=1)]
    return (
        cells.withColumn("starts", F.explode(F.array(*periods)))
        .groupBy("user_id", "starts.period", "starts.period_start", "number")
        .agg(
            *[F.sum(name).alias(name) for name in ("play_count", "listen_count", "ms", "total")],
            F.min("first_date").alias("period_first_date"),
            F.min("first_ever").alias("first_ever"),
            F.max("latest").alias("latest"),
            *[F.min(name).alias(name) for name in kept],
        )
    )


def _starts() -> list[Column]:
    """The start of each period type, from a cell."""
    of_months = [_start(unit, "month") for unit in MONTHS]
    return [start.alias("period_start") for start in (F.col("week"), *of_months, F.lit(None).cast("date"))]


def _start(unit: str, date: str = "date") -> Column:
    return F.to_date(F.date_trunc(unit, F.col(date)))


def _start_of_named_period() -> Column:
    start = F.when(F.col("period_type") == "week", _start("week", "period_start"))
    for unit in MONTHS:
        start = start.when(F.col("period_type") == unit, _start(unit, "period_start"))
    return start
