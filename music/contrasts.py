"""What the diagnostic tables share: a group of a listener's plays (an hour, a part of day, the weekend) against all the others.

Listens of one day are not independent (one session, one album on repeat), so the local date is the unit of sampling: standard
errors are robust to any correlation within a date (Liang & Zeger, Biometrika 73, 1986). A date that holds listens of both
sides counts with its net influence on the difference, so what moves both sides of a day alike does not look like a difference.
Plays are scanned once, into day cells; all else is arithmetic on those.
"""

from __future__ import annotations

from collections.abc import Mapping

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from music.listening import measured_share, not_synthetic, of_listens
from music.statistics import cohens_d, ratio, t_quantile, with_normal_p_value, with_t_deviate

# What is below this share of the terms it was computed from is rounding, not a finding.
ROUNDING = 1e-12
COUNTS = ("plays", "listens", "measured", "n", "days", "rest_n", "rest_days")
SHARES = ("measured_share", "all_measured_share")


def feature_of_listens(feature: str) -> Column:
    """A feature's value on a listen, null on other plays and where it is synthetic."""
    return of_listens(not_synthetic(feature))


def contrast_with_rest(
    plays: DataFrame, group: str, values: Mapping[str, Column], day_values: Mapping[str, Column] | None = None
) -> DataFrame:
    """One row per listener, feature and value of `group`: its mean, the listener's mean over all other values, their difference.

    `values` are Columns of a play by feature_name, null where a play does not count; `day_values` are aggregates that make one
    observation a day. `difference` is mean - rest_mean; `effect_size` is Cohen's d; `difference_low`, `difference_high` (95%)
    and `p_value` use Student's t with one degree of freedom less than the days of the side with fewer days, and are null
    below five days a side; `mean_low` and `mean_high` (95%) are those of the group's own mean, null below five of its days. `n`,
    `days` and their `rest_` twins count known values and the dates that hold them; `plays`, `listens` and `measured` (listens)
    count all of the group's plays; `centre` is the mean of all the listener's values.
    """
    names = (*values, *(day_values or {}))
    cells = _cells(plays, ["user_id", "date", group], values, day_values or {})
    days = _cells(plays, ["user_id", "date"], values, day_values or {})
    whole = [F.col(f"{name}_{part}").alias(f"day_{name}_{part}") for name in names for part in ("n", "mean")]
    placed = cells.join(days.select("user_id", "date", *whole), on=["user_id", "date"], how="inner")
    placed = placed.join(_listeners(days, names), on="user_id", how="inner")
    sums = _group_sums(_centred(_by_feature(placed, group, names)), group)
    named = sums.withColumn("feature_name", F.element_at(F.array(*[F.lit(name) for name in names]), F.col("feature")))
    return _tested(_with_standard_error(_with_rest(named), group))


def _cells(plays: DataFrame, by: list[str], values: Mapping[str, Column], day_values: Mapping[str, Column]) -> DataFrame:
    """One row per `by`: for every feature how many values are known, their mean and their variance; and how many plays."""
    counts = [
        F.count(F.lit(1)).alias("plays"),
        F.count(F.when(F.col("is_listen"), 1)).alias("listens"),
        F.count(F.when(F.col("is_listen") & F.col("is_measured"), 1)).alias("measured"),
    ]
    moments = [
        moment
        for name, value in values.items()
        for moment in (
            F.count(value).alias(f"{name}_n"),
            F.avg(value).alias(f"{name}_mean"),
            F.var_pop(value).alias(f"{name}_var"),
        )
    ]
    once = [value.alias(f"{name}_mean") for name, value in day_values.items()]
    single = [F.col(f"{name}_mean").isNotNull().cast("bigint").alias(f"{name}_n") for name in day_values]
    single += [F.lit(0.0).alias(f"{name}_var") for name in day_values]
    return plays.groupBy(*by).agg(*counts, *moments, *once).select("*", *single)


def _listeners(days: DataFrame, names: tuple[str, ...]) -> DataFrame:
    """One row per listener: for every feature the mean of all its values and the dates that have one."""
    total = [F.sum(F.col(f"{name}_n") * F.col(f"{name}_mean")).alias(f"{name}_total") for name in names]
    counts = [F.sum(f"{name}_n").alias(f"{name}_known") for name in names]
    dates = [F.count(F.when(F.col(f"{name}_n") > 0, 1)).alias(f"{name}_dates") for name in names]
    centres = [ratio(F.col(f"{name}_total"), F.col(f"{name}_known")).alias(f"{name}_centre") for name in names]
    return days.groupBy("user_id").agg(*total, *counts, *dates).select("user_id", *centres, *[f"{n}_dates" for n in names])


def _by_feature(placed: DataFrame, group: str, names: tuple[str, ...]) -> DataFrame:
    """One row per cell and feature, identified by its place in `names`: there may be millions to group."""
    parts = [
        F.struct(
            F.lit(place).alias("feature"),
            F.col(f"{name}_n").alias("n"),
            F.col(f"{name}_mean").cast("double").alias("mean"),
            F.col(f"{name}_var").cast("double").alias("var"),
            F.col(f"day_{name}_n").alias("day_n"),
            F.col(f"day_{name}_mean").cast("double").alias("day_mean"),
            F.col(f"{name}_centre").alias("centre"),
            F.col(f"{name}_dates").alias("dates"),
        )
        for place, name in enumerate(names, start=1)
    ]
    kept = ("user_id", group, "plays", "listens", "measured")
    return placed.select(*kept, F.explode(F.array(*parts)).alias("cell")).select(*kept, "cell.*")


def _centred(cells: DataFrame) -> DataFrame:
    """Sums around the listener's own mean, which keeps the later sums of squares free of cancellation, beside the day's sums."""
    distance = F.col("mean") - F.col("centre")
    day_s = F.coalesce(F.col("day_n") * (F.col("day_mean") - F.col("centre")), F.lit(0.0))
    return (
        cells.withColumn("s", F.coalesce(F.col("n") * distance, F.lit(0.0)))
        .withColumn("q", F.coalesce(F.col("var") * F.col("n"), F.lit(0.0)) + F.coalesce(F.col("s") * distance, F.lit(0.0)))
        # A cell that is its whole day has the day's sum to the last digit.
        .withColumn("day_s", F.when(F.col("n") == F.col("day_n"), F.col("s")).otherwise(day_s))
    )


def _group_sums(cells: DataFrame, group: str) -> DataFrame:
    """Per group: totals, and sums over its days of products of its own sums (s, n) and the whole day's (t, k)."""
    s, n, t, k = F.col("s"), F.col("n"), F.col("day_s"), F.col("day_n")
    products = {"ss": s * s, "sn": s * n, "nn": n * n, "st": s * t, "sk": s * k, "nt": n * t, "nk": n * k}
    return cells.groupBy("user_id", "feature", group).agg(
        *[F.sum(c).alias(c) for c in ("plays", "listens", "measured", "n", "s", "q")],
        *[F.max(c).alias(c) for c in ("centre", "dates")],
        F.count(F.when(n > 0, 1)).alias("days"),
        F.count(F.when((n > 0) & (n == k), 1)).alias("days_alone"),
        *[F.sum(product).alias(name) for name, product in products.items()],
    )


def _with_rest(groups: DataFrame) -> DataFrame:
    """The sums of all other groups: the listener's less the group's own."""
    listener = Window.partitionBy("user_id", "feature")

    def all_groups(name: str) -> Column:
        return F.sum(name).over(listener)

    return groups.select(
        "*",
        (all_groups("n") - F.col("n")).alias("rest_n"),
        (all_groups("s") - F.col("s")).alias("rest_s"),
        (all_groups("q") - F.col("q")).alias("rest_q"),
        (F.col("dates") - F.col("days_alone")).alias("rest_days"),
        (all_groups("st") - F.lit(2.0) * F.col("st") + F.col("ss")).alias("rest_ss"),
        (all_groups("sk") - F.col("nt") - F.col("sk") + F.col("sn")).alias("rest_sn"),
        (all_groups("nk") - F.lit(2.0) * F.col("nk") + F.col("nn")).alias("rest_nn"),
        all_groups("st").alias("all_ss"),
        all_groups("q").alias("all_q"),
        measured_share(F.col("measured"), F.col("listens")).alias("measured_share"),
        measured_share(all_groups("measured"), all_groups("listens")).alias("all_measured_share"),
    )


def _with_standard_error(groups: DataFrame, group: str) -> DataFrame:
    """Means, standard deviations and the standard error of the difference.

    A day changes the group's mean by a = (s - n mean) / n_group and the rest's by b; the variance of the difference is the sum
    over days of (f a - f_rest b)^2 with f^2 = days / (days - 1), which for two means without a common day is Welch's sum.
    """
    u, v, c = F.col("u"), F.col("v"), F.col("centre")
    f, f_rest = F.col("factor"), F.col("rest_factor")
    # Steps are columns: written out in one expression they cost the engines' planners more than all rows.
    steps = {
        "stddev": _stddev("q", "n", u),
        "rest_stddev": _stddev("rest_q", "rest_n", v),
        "factor": _factor("days", "n"),
        "rest_factor": _factor("rest_days", "rest_n"),
        "own": F.col("ss") - F.lit(2.0) * u * F.col("sn") + u * u * F.col("nn"),
        "rest": F.col("rest_ss") - F.lit(2.0) * v * F.col("rest_sn") + v * v * F.col("rest_nn"),
        "common": (F.col("st") - F.col("ss"))
        - v * (F.col("sk") - F.col("sn"))
        - u * (F.col("nt") - F.col("sn"))
        + u * v * (F.col("nk") - F.col("nn")),
        "own_terms": F.col("ss") + (u * u + c * c) * F.col("nn"),
        "rest_terms": F.col("all_ss") + (v * v + c * c) * F.col("rest_nn"),
    }
    variance = f * f * F.col("own") - F.lit(2.0) * f * f_rest * F.col("common") + f_rest * f_rest * F.col("rest")
    terms = f * f * F.col("own_terms") + f_rest * f_rest * F.col("rest_terms")
    errors = {
        "standard_error": F.nullif(F.sqrt(_beyond_rounding(variance, terms)), F.lit(0.0)),
        "mean_error": F.nullif(f * F.sqrt(_beyond_rounding(F.col("own"), F.col("own_terms"))), F.lit(0.0)),
    }
    return (
        groups.withColumns({"u": ratio(F.col("s"), F.col("n")), "v": ratio(F.col("rest_s"), F.col("rest_n"))})
        .withColumns(steps)
        .withColumns(errors)
        .select("user_id", group, "feature_name", *COUNTS, *SHARES, "u", "v", "centre", "stddev", "rest_stddev", *errors)
    )


def _tested(groups: DataFrame) -> DataFrame:
    difference, error = F.col("difference"), F.col("standard_error")
    apart = F.col("u") - F.col("v")
    size = F.abs(F.col("centre")) + F.abs(F.col("u")) + F.abs(F.col("v"))
    effect = cohens_d(difference, F.col("stddev"), F.col("n"), F.col("rest_stddev"), F.col("rest_n"))
    differing = groups.withColumns(
        {
            "mean": F.col("centre") + F.col("u"),
            "rest_mean": F.col("centre") + F.col("v"),
            "difference": F.when(F.abs(apart) <= F.lit(ROUNDING) * size, F.lit(0.0)).otherwise(apart),
            "effect_degrees": F.least(F.col("days"), F.col("rest_days")) - F.lit(1),
        }
    ).withColumns(
        {
            "effect_size": effect,
            "t": difference / error,
            "half": t_quantile(F.col("effect_degrees")) * error,
            "mean_half": t_quantile(F.col("days") - F.lit(1)) * F.col("mean_error"),
        }
    )
    tested = with_normal_p_value(with_t_deviate(differing, "t", "effect_degrees"))
    ends = {
        f"{name}_{end}": F.col(name) + F.lit(sign) * F.col(half)
        for name, half in (("difference", "half"), ("mean", "mean_half"))
        for end, sign in (("low", -1.0), ("high", 1.0))
    }
    return tested.withColumns(ends).drop("u", "v", "effect_degrees", "t", "z", "half", "mean_half")


def _stddev(squares: str, n: str, mean: Column) -> Column:
    """Sample standard deviation from the sum of squares around the listener's mean, `mean` being the side's distance from it."""
    q, size, c = F.col(squares), F.col(n), F.col("centre")
    within = _beyond_rounding(q - size * mean * mean, F.col("all_q") + size * (mean * mean + c * c))
    return F.sqrt(ratio(within, F.when(size > 1, size - F.lit(1))))


def _factor(days: str, n: str) -> Column:
    correction = ratio(F.col(days), F.when(F.col(days) > 1, F.col(days) - F.lit(1)))
    return ratio(F.sqrt(correction), F.col(n))


def _beyond_rounding(square: Column, terms: Column) -> Column:
    return F.when(square <= F.lit(ROUNDING) * terms, F.lit(0.0)).otherwise(square)
