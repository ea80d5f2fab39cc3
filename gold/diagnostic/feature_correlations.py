"""Which audio features go together in the music a listener knows (tracks) and in what they actually play (listens)."""

from __future__ import annotations

from itertools import combinations

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from bronze.audio_features import CONTINUOUS
from gold.listening import known, listens
from gold.statistics import fisher_deviate, fisher_interval, normal_p_value, ratio, significant, with_holm
from lakehouse.rules import at_least, between, is_in, satisfies
from lakehouse.table import column, table

WEIGHTINGS = ("tracks", "listens")
STRENGTHS = ("negligible", "weak", "moderate", "strong")
PAIRS = tuple(combinations(sorted(CONTINUOUS), 2))


@table(
    "gold.feature_correlations",
    key=["user_id", "weighting", "feature_1", "feature_2"],
    scope="user",
    schema=[
        column("user_id", "string", "listener"),
        column("weighting", "string", "tracks: every track once; listens: every listen once"),
        column("feature_1", "string", "audio feature, alphabetically the first of the two"),
        column("feature_2", "string", "audio feature"),
        column("correlation", "double", "Pearson's r, -1 to 1; null where a feature is constant"),
        column("correlation_low", "double", "lower end of the 95% interval (Fisher z, effective_n); null for effective_n <= 3"),
        column("correlation_high", "double", "upper end of the 95% interval"),
        column("strength", "string", "of |correlation|: negligible < 0.1, weak < 0.3, moderate < 0.5, strong"),
        column("n", "bigint", "distinct tracks with both features known", nullable=False),
        column("observations", "bigint", "what the correlation is over: those tracks, or their listens", nullable=False),
        column(
            "effective_n", "double", "tracks that the weighting is worth; = n for tracks, fewer for listens of few favourites"
        ),
        column("p_value", "double", "two-sided, of no correlation; null where the interval is"),
        column("p_corrected", "double", "Holm-corrected over the listener's pairs of one weighting"),
        column("is_significant", "boolean", "p_corrected < 0.05; false where it could not be tested", nullable=False),
        column("measured_share", "double", "share (0-1) of the tracks or listens whose features are measured"),
    ],
    rules=[
        is_in("weighting", WEIGHTINGS),
        is_in("feature_1", CONTINUOUS),
        is_in("feature_2", CONTINUOUS),
        is_in("strength", STRENGTHS),
        between("correlation", -1, 1),
        between("p_value", 0, 1),
        between("measured_share", 0, 1),
        at_least("n", 0),
        satisfies("pairs are ordered", ["feature_1", "feature_2"], lambda: F.col("feature_1") < F.col("feature_2")),
        satisfies(
            "the interval holds the correlation",
            ["correlation", "correlation_low", "correlation_high"],
            lambda: F.coalesce(F.col("correlation").between(F.col("correlation_low"), F.col("correlation_high")), F.lit(True)),
        ),
        satisfies(
            "repeated listens add no tracks",
            ["n", "observations", "effective_n"],
            lambda: (F.col("n") <= F.col("observations")) & F.coalesce(F.col("effective_n") <= F.col("n") + 1e-6, F.lit(True)),
        ),
    ],
)
def feature_correlations(listening_with_features: DataFrame) -> DataFrame:
    """One row per listener, weighting and unordered pair of the nine continuous features.

    Hearing a track again says nothing new about how features go together, so intervals and p-values of `listens` rest on
    Kish's effective number of tracks, (sum of listens)^2 / sum of listens^2 (Kish, Survey Sampling, 1965), never on the number
    of listens. Interval and p-value by Fisher's z (1921), strength after Cohen (1988, ch. 3), correction after Holm (1979).
    """
    pairs = _correlations(_weighted(_tracks(listening_with_features)))
    low, high = fisher_interval(F.col("correlation"), F.col("effective_n"))
    deviates = pairs.withColumn("z", fisher_deviate(F.col("correlation"), F.col("effective_n")))
    tests = deviates.withColumn("p_value", normal_p_value(F.col("z")))
    return with_holm(tests, ["user_id", "weighting"], ["feature_1", "feature_2"]).select(
        *["user_id", "weighting", "feature_1", "feature_2", "correlation"],
        low.alias("correlation_low"),
        high.alias("correlation_high"),
        _strength(F.abs(F.col("correlation"))).alias("strength"),
        *["n", "observations", "effective_n", "p_value", "p_corrected"],
        significant(F.col("p_corrected")).alias("is_significant"),
        "measured_share",
    )


def _tracks(listening_with_features: DataFrame) -> DataFrame:
    """One row per listener and track; every listen of a track has the same features, max only picks them."""
    features = [F.max(known(feature)).alias(feature) for feature in CONTINUOUS]
    measured = F.max(F.col("is_measured").cast("double")).alias("measured")
    return (
        listens(listening_with_features).groupBy("user_id", "track_id").agg(F.count(F.lit(1)).alias("count"), measured, *features)
    )


def _weighted(tracks: DataFrame) -> DataFrame:
    """Each track once as copy 0 of weighting `tracks`, and once per listen as copies 1.. of weighting `listens`."""
    copies = tracks.select("*", F.explode(F.sequence(F.lit(0).cast("bigint"), F.col("count"))).alias("copy"))
    whole = F.col("copy") == 0
    return copies.select(
        *["user_id", "measured", "copy", *CONTINUOUS],
        F.when(whole, "tracks").otherwise("listens").alias("weighting"),
        F.when(whole, 1).otherwise(F.col("count")).alias("weight"),
    )


def _correlations(weighted: DataFrame) -> DataFrame:
    """All pairs in one aggregate, then one row per pair."""
    figures = [figure for first, second in PAIRS for figure in _pair_figures(first, second)]
    spread = [(F.max(feature) > F.min(feature)).alias(f"{feature}_varies") for feature in CONTINUOUS]
    wide = weighted.groupBy("user_id", "weighting").agg(F.avg("measured").alias("measured_share"), *figures, *spread)
    pairs = F.explode(F.array(*[_pair(first, second) for first, second in PAIRS])).alias("pair")
    return wide.select("user_id", "weighting", "measured_share", pairs).select("user_id", "weighting", "measured_share", "pair.*")


def _pair_figures(first: str, second: str) -> list[Column]:
    """Covariance and deviations rather than corr, which raises on a constant feature in ANSI mode."""
    both = F.col(first).isNotNull() & F.col(second).isNotNull()
    name = f"{first}_{second}"
    return [
        F.covar_pop(first, second).alias(f"{name}_covariance"),
        F.stddev_pop(F.when(both, F.col(first))).alias(f"{name}_stddev_1"),
        F.stddev_pop(F.when(both, F.col(second))).alias(f"{name}_stddev_2"),
        F.count(F.when(both, 1)).alias(f"{name}_observations"),
        F.count(F.when(both & (F.col("copy") <= 1), 1)).alias(f"{name}_n"),
        F.sum(F.when(both, F.col("weight"))).alias(f"{name}_squares"),
    ]


def _pair(first: str, second: str) -> Column:
    name = f"{first}_{second}"
    r = ratio(F.col(f"{name}_covariance"), F.col(f"{name}_stddev_1") * F.col(f"{name}_stddev_2"))
    exists = F.col(f"{first}_varies") & F.col(f"{second}_varies") & r.isNotNull()
    observations = F.col(f"{name}_observations")
    return F.struct(
        F.lit(first).alias("feature_1"),
        F.lit(second).alias("feature_2"),
        F.when(exists, F.greatest(F.lit(-1.0), F.least(F.lit(1.0), r))).alias("correlation"),
        F.col(f"{name}_n").alias("n"),
        observations.alias("observations"),
        ratio(observations * observations, F.col(f"{name}_squares")).alias("effective_n"),
    )


def _strength(size: Column) -> Column:
    return F.when(size < 0.1, "negligible").when(size < 0.3, "weak").when(size < 0.5, "moderate").when(size >= 0.5, "strong")
