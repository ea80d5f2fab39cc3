"""Which mood states does a listener's music fall into, how much of it, and when?"""

from __future__ import annotations

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from lakehouse.declare import Model, column, satisfies, table
from models.clusters.nearest import with_nearest
from music.listening import listens, measured_share, not_synthetic
from music.local_time import day_name, hour_unit, utc_mark
from music.ranking import ranking
from music.statistics import ratio, t_quantile, with_normal_p_value, with_t_deviate

STATE_FEATURES = ("valence", "energy")
CENTROID = ("valence", "energy", "danceability", "acousticness", "instrumentalness", "tempo")
HOURS, SPAN, DAYS = 24, 6, 7
ALPHA = 0.05


@table(
    "gold.mood_state_clusters",
    key=["user_id", "cluster"],
    scope="user",
    schema=[
        column("user_id", "string", "listener"),
        column("cluster", "int", "number of the state in the listener's population; 0 is the largest", at_least=0),
        column("label", "string", "name of the state, from the distinctive features of its centroid", nullable=False),
        column(
            "listens", "bigint", "listens with known valence and energy whose nearest state this is", nullable=False, at_least=1
        ),
        column("known_listens", "bigint", "all of the listener's listens with known valence and energy", nullable=False),
        column("share", "double", "listens / known_listens, 0-1", nullable=False, between=(0, 1)),
        *[column(f"avg_{name}", "double", f"mean {name} of these listens") for name in CENTROID],
        column("avg_distance", "double", "mean distance to the centroid, in standard deviations", nullable=False),
        column("active_days", "bigint", "dates with such a listen", nullable=False),
        column(
            "peak_hour",
            "int",
            "hour (0-23; UTC if the time zone is unknown) with most of these listens; ties go to the earliest",
            nullable=False,
            between=(0, HOURS - 1),
        ),
        column(
            "typical_hours",
            "string",
            "six consecutive hours with most of these listens, such as 18-23; 18-23 UTC if the time zone is unknown",
            nullable=False,
        ),
        column(
            "typical_hours_share",
            "double",
            "share (0-1) of these listens in typical_hours; 0.25 if evenly spread",
            nullable=False,
            between=(SPAN / HOURS - 1e-9, 1),
        ),
        column("peak_day", "string", "weekday with the largest mean daily share of this state"),
        column("peak_day_difference", "double", "mean share on peak_day minus the mean share on all other weekdays"),
        column(
            "peak_day_difference_low",
            "double",
            "lower end of the 95% interval, clustered by date; null with fewer than 5 dates on either side",
        ),
        column("peak_day_difference_high", "double", "upper end of the 95% interval"),
        column("peak_day_dates", "bigint", "number of dates of that weekday with a listen of known mood"),
        column(
            "peak_day_p_corrected",
            "double",
            "two-sided p-value for no difference, multiplied by 7 weekdays (Bonferroni), at most 1",
            between=(0, 1),
        ),
        column("is_peak_day_significant", "boolean", "peak_day_p_corrected < 0.05", nullable=False),
        column("measured_share", "double", "share (0-1) of these listens with measured features", nullable=False, between=(0, 1)),
        column("description", "string", "summary of the row in one sentence", nullable=False),
        column("model_id", "string", "model that provides the states", nullable=False),
    ],
    rules=[satisfies("listens <= known_listens", ["listens"], lambda: F.col("listens") <= F.col("known_listens"))],
)
def mood_state_clusters(listening_with_features: DataFrame, mood_state: Model) -> DataFrame:
    """One row per listener and mood state with at least one of the listener's listens.

    The states are those of the model. Shares per weekday are compared date by date, because listens on the same day are
    similar: Welch's statistic over dates, with the degrees of freedom of the side with fewer dates, and Bonferroni's
    correction for choosing among seven weekdays. Listens without known valence and energy are excluded.
    """
    heard = listens(listening_with_features).select(
        *["user_id", "date", "day_of_week", "hour_of_day", "is_measured", "lacks_timezone"],
        *[not_synthetic(name).alias(name) for name in CENTROID],
    )
    placed = with_nearest(
        heard.where("valence IS NOT NULL AND energy IS NOT NULL"), mood_state.arrow("centroids"), STATE_FEATURES
    )
    states = _with_peak_day(_states(_dates(placed)))
    return states.select(
        *["user_id", "cluster", "label", "listens", "known_listens"],
        ratio(F.col("listens"), F.col("known_listens")).alias("share"),
        *[ratio(F.col(f"{name}_sum"), F.col(f"{name}_n")).alias(f"avg_{name}") for name in CENTROID],
        ratio(F.col("distance_sum"), F.col("listens")).alias("avg_distance"),
        "active_days",
        (F.array_position("hours", F.array_max("hours")) - 1).cast("int").alias("peak_hour"),
        F.concat(F.concat_ws("-", *_first_and_last_hour()), utc_mark()).alias("typical_hours"),
        ratio(F.array_max("spans"), F.col("listens")).alias("typical_hours_share"),
        day_name(F.col("peak")).alias("peak_day"),
        F.col("difference").alias("peak_day_difference"),
        (F.col("difference") - F.col("half")).alias("peak_day_difference_low"),
        (F.col("difference") + F.col("half")).alias("peak_day_difference_high"),
        F.col("peak_dates").alias("peak_day_dates"),
        F.col("p_corrected").alias("peak_day_p_corrected"),
        F.coalesce(F.col("p_corrected") < ALPHA, F.lit(False)).alias("is_peak_day_significant"),
        measured_share(F.col("measured"), F.col("listens")).alias("measured_share"),
        _sentence().alias("description"),
        F.lit(mood_state.id).alias("model_id"),
    )


def _dates(placed: DataFrame) -> DataFrame:
    """One row per listener, date and state: sums over its listens, and the state's share of the date's listens."""
    hours = [F.count_if(F.col("hour_of_day") == hour).alias(f"hour_{hour}") for hour in range(HOURS)]
    sums = [F.sum(name).alias(f"{name}_sum") for name in CENTROID] + [F.count(name).alias(f"{name}_n") for name in CENTROID]
    dates = placed.groupBy("user_id", "date", "day_of_week", "cluster", "label").agg(
        F.count(F.lit(1)).alias("listens"),
        F.count_if("is_measured").alias("measured"),
        F.max("lacks_timezone").alias("lacks_timezone"),
        F.sum("distance").alias("distance_sum"),
        *sums,
        *hours,
    )
    of_date = F.sum("listens").over(Window.partitionBy("user_id", "date"))
    return dates.withColumn("date_share", F.col("listens") / of_date)


def _states(dates: DataFrame) -> DataFrame:
    """One row per listener and state: totals, listens by hour, and by weekday the sums of shares and of their squares."""
    share = F.col("date_share")
    added = ("listens", "measured", "distance_sum", *[f"{name}_{part}" for name in CENTROID for part in ("sum", "n")])
    by_day = [
        F.sum(F.when(F.col("day_of_week") == day, power).otherwise(F.lit(0.0))).alias(f"{name}_{day}")
        for name, power in (("s", share), ("q", share * share))
        for day in range(1, DAYS + 1)
    ]
    states = dates.groupBy("user_id", "cluster", "label").agg(
        *[F.sum(name).alias(name) for name in added],
        *[F.sum(f"hour_{hour}").alias(f"hour_{hour}") for hour in range(HOURS)],
        F.count(F.lit(1)).alias("active_days"),
        F.max("lacks_timezone").alias("lacks_timezone"),
        *by_day,
    )
    spans = [_sum([F.col(f"hour_{(first + step) % HOURS}") for step in range(SPAN)]) for first in range(HOURS)]
    return (
        states.join(_weekdays(dates), on="user_id", how="inner")
        .withColumns(
            {
                "known_listens": F.sum("listens").over(Window.partitionBy("user_id")),
                "hours": F.array(*[F.col(f"hour_{hour}") for hour in range(HOURS)]),
                "spans": F.array(*spans),
            }
        )
        .withColumn("first_hour", (F.array_position("spans", F.array_max("spans")) - 1).cast("int"))
    )


def _weekdays(dates: DataFrame) -> DataFrame:
    """One row per listener: how many dates of each weekday have a listen of known mood."""
    days = dates.select("user_id", "date", "day_of_week").distinct()
    return days.groupBy("user_id").agg(*[F.count_if(F.col("day_of_week") == d).alias(f"n_{d}") for d in range(1, DAYS + 1)])


def _with_peak_day(states: DataFrame) -> DataFrame:
    """Adds the weekday with the largest mean share (ties go to the first), and its difference from the others with its error."""
    means = [ranking(ratio(F.col(f"s_{day}"), F.col(f"n_{day}"))) for day in range(1, DAYS + 1)]
    peaked = states.withColumn("means", F.array(*means)).withColumn(
        "peak", F.array_position("means", F.array_max("means")).cast("int")
    )
    chosen = {
        f"peak_{name}": F.element_at(F.array(*[F.col(f"{part}_{day}") for day in range(1, DAYS + 1)]), F.col("peak"))
        for name, part in (("dates", "n"), ("sum", "s"), ("squares", "q"))
    }
    rest = {
        f"rest_{name}": _sum([F.col(f"{part}_{day}") for day in range(1, DAYS + 1)]) - F.col(f"peak_{name}")
        for name, part in (("dates", "n"), ("sum", "s"), ("squares", "q"))
    }
    error = F.nullif(F.sqrt(_variance_of_mean("peak") + _variance_of_mean("rest")), F.lit(0.0))
    differing = (
        peaked.withColumns(chosen)
        .withColumns(rest)
        .withColumn(
            "difference",
            ratio(F.col("peak_sum"), F.col("peak_dates")) - ratio(F.col("rest_sum"), F.col("rest_dates")),
        )
        .withColumns({"error": error, "degrees": F.least("peak_dates", "rest_dates") - 1})
        .withColumns({"t": F.col("difference") / F.col("error"), "half": t_quantile(F.col("degrees")) * F.col("error")})
    )
    tested = with_normal_p_value(with_t_deviate(differing, "t", "degrees"))
    # least passes over nulls, so an unknown p-value would come out as 1.
    corrected = F.when(F.col("p_value").isNotNull(), F.least(F.lit(1.0), F.lit(DAYS) * F.col("p_value")))
    return tested.withColumn("p_corrected", corrected)


def _variance_of_mean(side: str) -> Column:
    """Variance of a side's mean share over its dates; a spread that is only rounding error counts as none."""
    n, total, squares = F.col(f"{side}_dates").cast("double"), F.col(f"{side}_sum"), F.col(f"{side}_squares")
    spread = squares - total * ratio(total, n)
    kept = F.when(spread > F.lit(1e-12) * squares, spread).otherwise(F.lit(0.0))
    return ratio(kept, F.when(n > 1, n * (n - F.lit(1.0))))


def _sum(columns: list[Column]) -> Column:
    return sum(columns[1:], columns[0])


def _first_and_last_hour() -> list[Column]:
    return [F.col("first_hour").cast("string"), ((F.col("first_hour") + SPAN - 1) % HOURS).cast("string")]


def _sentence() -> Column:
    share = F.round(ratio(F.col("listens"), F.col("known_listens")) * F.lit(100.0)).cast("int").cast("string")
    hours = _first_and_last_hour()
    on_day = F.when(
        F.col("p_corrected") < ALPHA, F.concat(F.lit("; more than on other days on "), day_name(F.col("peak")), F.lit("s"))
    ).otherwise(F.lit(""))
    return F.concat(
        *[F.col("label"), F.lit(" music: "), share, F.lit("% of "), F.col("known_listens").cast("string")],
        *[F.lit(" listens of known mood, most between "), hours[0], F.lit(" and "), hours[1], hour_unit(), on_day, F.lit(".")],
    )
