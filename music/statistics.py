"""What the gold tables share of statistics: p-values, intervals, effect sizes and the correction for many tests, as Columns.

Everything is written in arithmetic that every engine has (Spark has no erf), and a figure that cannot be known is null: no
interval from too few days, no ratio with an empty denominator.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

Z_95 = 1.959963984540054
ALPHA = 0.05
MIN_CLUSTERS = 5

# erfc(x) = t exp(-x^2 + polynomial(t)), t = 1 / (1 + x / 2): Press et al., Numerical Recipes in C, 2nd ed. (1992), section 6.2.
ERFC = (
    -1.26551223,
    1.00002368,
    0.37409196,
    0.09678418,
    -0.18628806,
    0.27886807,
    -1.13520398,
    1.48851587,
    -0.82215223,
    0.17087277,
)

# The 97.5% quantile of t in powers of 1 / degrees of freedom: Abramowitz & Stegun (1964), 26.7.5, at z = Z_95.
T_QUANTILE = (
    Z_95,
    (Z_95**3 + Z_95) / 4,
    (5 * Z_95**5 + 16 * Z_95**3 + 3 * Z_95) / 96,
    (3 * Z_95**7 + 19 * Z_95**5 + 17 * Z_95**3 - 15 * Z_95) / 384,
    (79 * Z_95**9 + 776 * Z_95**7 + 1482 * Z_95**5 - 1920 * Z_95**3 - 945 * Z_95) / 92160,
)


def ratio(numerator: Column, denominator: Column) -> Column:
    """numerator / denominator as a double; null where the denominator is 0 (try_divide takes no doubles on every engine)."""
    return numerator.cast("double") / F.nullif(denominator.cast("double"), F.lit(0.0))


def with_normal_p_value(tests: DataFrame, z: str = "z", p_value: str = "p_value") -> DataFrame:
    """Adds the two-sided p-value of the standard normal statistic `z`, erfc(|z| / sqrt 2), to a relative 1.2e-7 in the tails too.

    Steps are columns: written out in one expression they cost the engines' planners more than all rows.
    """
    x = F.abs(F.col(z)) / F.lit(2**0.5)
    t = F.col("_t")
    # least and greatest pass over nulls, so an unknown z would come out as 1.
    tail = F.when(F.col(z).isNotNull(), F.least(F.lit(1.0), t * F.exp(_polynomial(ERFC, t) - x * x)))
    return tests.withColumn("_t", F.lit(1.0) / (F.lit(1.0) + x / F.lit(2.0))).withColumn(p_value, tail).drop("_t")


def with_t_deviate(tests: DataFrame, t: str, degrees_of_freedom: str, z: str = "z") -> DataFrame:
    """Adds `z`, the normal deviate as far in the tail as Student's `t`; null below MIN_CLUSTERS - 1 degrees of freedom.

    Hill (1970), CACM algorithm 395. With 4 degrees of freedom the p-value is within 0.005% of the exact one at p = 0.05 and
    within 0.4% at p = 0.00004; with more it is closer.
    """
    nu, a, b, y = (F.col(name) for name in ("_nu", "_a", "_b", "_y"))
    correction = ((F.lit(4.0) * y + F.lit(33.0)) * y + F.lit(240.0)) * y + F.lit(855.0)
    scale = F.lit(10.0) * b * (b + F.lit(0.8) * y * y + F.lit(100.0))
    return (
        tests.withColumn("_nu", _enough(F.col(degrees_of_freedom)))
        .withColumn("_a", nu - F.lit(0.5))
        .withColumns({"_b": F.lit(48.0) * a * a, "_y": a * F.log1p(F.col(t) * F.col(t) / nu)})
        .withColumn(z, F.sqrt(y) * (F.lit(1.0) + (y + F.lit(3.0)) / b - correction / scale))
        .drop("_nu", "_a", "_b", "_y")
    )


def t_quantile(degrees_of_freedom: Column) -> Column:
    """The 97.5% quantile of Student's t, for 95% intervals; null below MIN_CLUSTERS - 1 degrees of freedom.

    Cornish-Fisher expansion, Abramowitz & Stegun (1964) 26.7.5: 2.7756 for 4 degrees of freedom (exact 2.7764), closer above.
    """
    return _polynomial(T_QUANTILE, F.lit(1.0) / _enough(degrees_of_freedom))


def wilson_interval(successes: Column, n: Column) -> tuple[Column, Column]:
    """95% score interval of a share: Wilson, JASA 22 (1927) 209-212. Null when n is 0."""
    size, z2 = F.nullif(n.cast("double"), F.lit(0.0)), F.lit(Z_95**2)
    share = successes / size
    centre = (successes + z2 / F.lit(2.0)) / (size + z2)
    half = F.lit(Z_95) * F.sqrt(share * (F.lit(1.0) - share) * size + z2 / F.lit(4.0)) / (size + z2)
    low, high = F.greatest(F.lit(0.0), centre - half), F.least(F.lit(1.0), centre + half)
    return F.when(n > 0, low), F.when(n > 0, high)


def fisher_z(correlation: Column) -> Column:
    """Fisher's transformation artanh(r) (Metron 1, 1921); null where |r| is 1, which has no finite transform."""
    inside = F.when(F.abs(correlation) < 1, correlation)
    return F.log((F.lit(1.0) + inside) / (F.lit(1.0) - inside)) / F.lit(2.0)


def fisher_interval(correlation: Column, n: Column) -> tuple[Column, Column]:
    """95% interval of a Pearson correlation of n independent pairs, by Fisher's z with error 1 / sqrt(n - 3); null for n <= 3."""
    half = F.lit(Z_95) * _fisher_error(n)
    return F.tanh(fisher_z(correlation) - half), F.tanh(fisher_z(correlation) + half)


def fisher_deviate(correlation: Column, n: Column) -> Column:
    """Normal deviate of a correlation, for with_normal_p_value: from the Fisher z of the interval, so the two never disagree."""
    return fisher_z(correlation) / _fisher_error(n)


def cohens_d(difference: Column, stddev_1: Column, n_1: Column, stddev_2: Column, n_2: Column) -> Column:
    """Difference of two means in pooled standard deviations (Cohen, Statistical Power Analysis, 1988); null without spread."""
    within = (n_1 - F.lit(1)) * stddev_1 * stddev_1 + (n_2 - F.lit(1)) * stddev_2 * stddev_2
    return ratio(difference, F.sqrt(ratio(within, n_1 + n_2 - F.lit(2))))


def with_variance_components(groups: DataFrame, of: str, mean: str) -> DataFrame:
    """Adds to rows per group what its mean is judged by: `within` the variance inside groups, `between` that of their true means.

    `groups` has one row per value of `of` (a listener, say) and group, with the group's `n`, `mean` and population `variance`.
    Added are also `groups` (their number), `all_n` and `centre` (the mean of all). By the analysis of variance for groups of
    unequal size (Searle, Casella & McCulloch, Variance Components, 1992, section 3.6); `between` is 0 with a single group.
    """
    every, n, value = Window.partitionBy(of), F.col("n"), F.col(mean)
    summed = groups.withColumns(
        {
            "groups": F.count(F.lit(1)).over(every),
            "all_n": F.sum("n").over(every),
            "squares": F.sum(n * n).over(every),
            "centre": F.sum(n * value).over(every) / F.sum("n").over(every),
            "within": ratio(F.sum(n * F.col("variance")).over(every), F.sum(n - F.lit(1)).over(every)),
        }
    )
    others, distance = F.col("groups") - F.lit(1), value - F.col("centre")
    among = ratio(F.sum(n * distance * distance).over(every), others)
    effective = ratio(F.col("all_n") - F.col("squares") / F.col("all_n"), others)
    between = F.greatest(F.lit(0.0), ratio(F.col("among") - F.col("within"), F.col("effective")))
    spread = summed.withColumns({"among": among, "effective": effective})
    return spread.withColumn("between", F.coalesce(between, F.lit(0.0))).drop("squares", "among", "effective")


def with_holm(tests: DataFrame, within: Sequence[str], tie_break: Sequence[str], p_value: str = "p_value") -> DataFrame:
    """Adds `p_corrected`: the p-values of each group of `within`, corrected for their number by Holm (Scand. J. Stat. 6, 1979).

    The r-th smallest of m p-values becomes the largest (m - i + 1) p_i of i <= r, at most 1. Null p-values stay null and do
    not count in m. `tie_break` makes the order unique.
    """
    ordered = Window.partitionBy(*within).orderBy(F.col(p_value).asc_nulls_last(), *tie_break)
    running = ordered.rowsBetween(Window.unboundedPreceding, Window.currentRow)
    number = F.count(p_value).over(Window.partitionBy(*within))
    ranked = tests.withColumn("_scaled", (number - F.row_number().over(ordered) + F.lit(1)) * F.col(p_value))
    corrected = F.least(F.lit(1.0), F.max("_scaled").over(running))
    return ranked.withColumn("p_corrected", F.when(F.col(p_value).isNotNull(), corrected)).drop("_scaled")


def with_benjamini_hochberg(
    tests: DataFrame, within: Sequence[str], tie_break: Sequence[str], p_value: str = "p_value"
) -> DataFrame:
    """Adds `p_corrected`: below 0.05 the expected share of false claims is 5% (Benjamini & Hochberg, JRSS B 57, 1995).

    The r-th smallest of a group's m p-values becomes the least m p_i / i of i >= r, at most 1. Null p-values stay null and do
    not count in m. For many tests of which some false claims are bearable; where none is, with_holm. `tie_break` makes the
    order unique.
    """
    # The order is by descending p, so that a running minimum is over the larger ones.
    ordered = Window.partitionBy(*within).orderBy(F.col(p_value).desc_nulls_first(), *[F.desc(name) for name in tie_break])
    running = ordered.rowsBetween(Window.unboundedPreceding, Window.currentRow)
    of_group = Window.partitionBy(*within)
    rank = F.count(F.lit(1)).over(of_group) - F.row_number().over(ordered) + F.lit(1)
    ranked = tests.withColumn("_scaled", F.count(p_value).over(of_group) * F.col(p_value) / rank)
    corrected = F.least(F.lit(1.0), F.min("_scaled").over(running))
    return ranked.withColumn("p_corrected", F.when(F.col(p_value).isNotNull(), corrected)).drop("_scaled")


def significant(p_corrected: Column) -> Column:
    """True when the corrected p-value is below 0.05; false also where there was too little to test."""
    return F.coalesce(p_corrected < ALPHA, F.lit(False))


def _enough(degrees_of_freedom: Column) -> Column:
    return F.when(degrees_of_freedom >= MIN_CLUSTERS - 1, degrees_of_freedom.cast("double"))


def _fisher_error(n: Column) -> Column:
    return F.lit(1.0) / F.sqrt(F.when(n > 3, n.cast("double") - F.lit(3.0)))


def _polynomial(coefficients: Sequence[float], x: Column) -> Column:
    """Horner's scheme, lowest power first."""
    highest, *rest = reversed(coefficients)
    return reduce(lambda value, coefficient: value * x + F.lit(coefficient), rest, F.lit(highest))
