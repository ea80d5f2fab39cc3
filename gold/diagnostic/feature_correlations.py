"""Which audio features go together in the music a listener knows (tracks) and in what they play (listens)?"""

from __future__ import annotations

from functools import reduce
from itertools import combinations
from operator import and_

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from lakehouse.declare import column, satisfies, table
from music.audio_features import CONTINUOUS
from music.listening import listens, measured_share, not_synthetic
from music.statistics import fisher_deviate, fisher_interval, ratio, significant, with_holm, with_normal_p_value

WEIGHTINGS = ("tracks", "listens")
PARTS = ("sum", "squares", "varies")
STRENGTHS = ("negligible", "weak", "moderate", "strong")
FEATURES = sorted(CONTINUOUS)
PAIRS = tuple(combinations(FEATURES, 2))


@table(
    "gold.feature_correlations",
    key=["user_id", "weighting", "feature_1", "feature_2"],
    scope="user",
    schema=[
        column("user_id", "string", "listener"),
        column("weighting", "string", "tracks: each track counts once; listens: each listen counts once", one_of=WEIGHTINGS),
        column("feature_1", "string", "audio feature; the pair is in alphabetical order", one_of=CONTINUOUS),
        column("feature_2", "string", "audio feature", one_of=CONTINUOUS),
        column("correlation", "double", "Pearson's r, -1 to 1; null where a feature is constant", between=(-1, 1)),
        column("correlation_low", "double", "lower end of the 95% interval (Fisher z, effective_n); null if effective_n <= 3"),
        column("correlation_high", "double", "upper end of the 95% interval"),
        column(
            "strength", "string", "by |correlation|: negligible < 0.1, weak < 0.3, moderate < 0.5, else strong", one_of=STRENGTHS
        ),
        column("n", "bigint", "distinct tracks with all nine features known", nullable=False, at_least=0),
        column("observations", "bigint", "number of values correlated: those tracks, or their listens", nullable=False),
        column(
            "effective_n",
            "double",
            "effective number of tracks under the weighting: n for tracks; smaller for listens concentrated on few tracks",
        ),
        column("p_value", "double", "two-sided p-value for no correlation; null where the interval is null", between=(0, 1)),
        column("p_corrected", "double", "p_value, Holm-corrected over the listener's pairs of the same weighting"),
        column("is_significant", "boolean", "p_corrected < 0.05; false if it could not be tested", nullable=False),
        column("measured_share", "double", "share (0-1) of tracks or listens with measured features", between=(0, 1)),
    ],
    rules=[
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
    """One row per listener, weighting and unordered pair of the nine continuous features, over tracks where all nine are known.

    Hearing a track again adds no information about how features are related, so intervals and p-values for `listens` use
    Kish's effective number of tracks, (sum of listens)^2 / sum of listens^2 (Kish, Survey Sampling, 1965), not the number
    of listens. Interval and p-value by Fisher's z (1921), strength after Cohen (1988, ch. 3), correction after Holm (1979).
    """
    pairs = _correlations(_weighted(_tracks(listening_with_features)))
    low, high = fisher_interval(F.col("correlation"), F.col("effective_n"))
    deviates = pairs.withColumn("z", fisher_deviate(F.col("correlation"), F.col("effective_n")))
    return with_holm(with_normal_p_value(deviates), ["user_id", "weighting"], ["feature_1", "feature_2"]).select(
        *["user_id", "weighting", "feature_1", "feature_2", "correlation"],
        low.alias("correlation_low"),
        high.alias("correlation_high"),
        _strength(F.abs(F.col("correlation"))).alias("strength"),
        *["n", "observations", "effective_n", "p_value", "p_corrected"],
        significant(F.col("p_corrected")).alias("is_significant"),
        "measured_share",
    )


def _tracks(listening_with_features: DataFrame) -> DataFrame:
    """One row per listener and track, features null unless all are known; max picks them, as a track's listens share them."""
    features = [F.max(not_synthetic(feature)).alias(feature) for feature in CONTINUOUS]
    measured = F.max(F.col("is_measured").cast("double")).alias("measured")
    tracks = (
        listens(listening_with_features).groupBy("user_id", "track_id").agg(F.count(F.lit(1)).alias("count"), measured, *features)
    )
    is_complete = reduce(and_, [F.col(feature).isNotNull() for feature in CONTINUOUS])
    return tracks.select(
        *["user_id", "count", "measured"], *[F.when(is_complete, F.col(feature)).alias(feature) for feature in CONTINUOUS]
    )


def _weighted(tracks: DataFrame) -> DataFrame:
    """Each track twice: weighting `tracks` with weight 1, and `listens` with its number of listens; features are centred.

    Centring avoids cancellation in the sums of products.
    """
    listener = Window.partitionBy("user_id")
    centred = [(F.col(f) - F.avg(f).over(listener)).alias(f) for f in CONTINUOUS]
    both = [F.struct(F.lit("tracks").alias("weighting"), F.lit(1).cast("bigint").alias("weight"))]
    both += [F.struct(F.lit("listens").alias("weighting"), F.col("count").alias("weight"))]
    return (
        tracks.select("user_id", "count", "measured", *centred)
        .withColumn("copy", F.explode(F.array(*both)))
        .select("user_id", "measured", *CONTINUOUS, "copy.*")
    )


def _correlations(weighted: DataFrame) -> DataFrame:
    """All sums in one aggregate, then one row per pair."""
    weight, known_weight = F.col("weight"), F.when(F.col(CONTINUOUS[0]).isNotNull(), F.col("weight"))
    squares = [F.sum(weight * F.col(f) * F.col(f)).alias(f"{f}_squares") for f in CONTINUOUS]
    sums = [F.sum(weight * F.col(f)).alias(f"{f}_sum") for f in CONTINUOUS]
    products = [F.sum(weight * F.col(a) * F.col(b)).alias(f"{a}_{b}") for a, b in PAIRS]
    wide = weighted.groupBy("user_id", "weighting").agg(
        F.count(known_weight).alias("n"),
        F.coalesce(F.sum(known_weight), F.lit(0)).alias("observations"),
        F.sum(known_weight * weight).alias("weight_squares"),
        measured_share(F.sum(weight * F.col("measured")), F.sum("weight")).alias("measured_share"),
        # Not told by a sum of squares, which rounding may leave above 0.
        *[(F.max(f) > F.min(f)).alias(f"{f}_varies") for f in CONTINUOUS],
        *[*squares, *sums, *products],
    )
    shared = ("user_id", "weighting", "n", "observations", "effective_n", "measured_share")
    # What belongs to one feature is told by its place: 36 pairs with a copy each cost the engines' planners more than all rows.
    by_place = {part: F.array(*[F.col(f"{feature}_{part}") for feature in FEATURES]) for part in PARTS}
    pairs = F.explode(F.array(*[_pair(first, second) for first, second in PAIRS])).alias("pair")
    effective_n = ratio(F.col("observations") * F.col("observations"), F.col("weight_squares")).alias("effective_n")
    sides = {f"{part}_{side}": F.element_at(part, F.col(f"place_{side}")) for side in (1, 2) for part in PARTS}
    names = {f"feature_{side}": F.element_at(F.array(*[F.lit(f) for f in FEATURES]), F.col(f"place_{side}")) for side in (1, 2)}
    return (
        wide.select("*", effective_n)
        .select(*shared, *[places.alias(part) for part, places in by_place.items()], pairs)
        .select(*shared, *PARTS, "pair.*")
        .withColumns(sides)
        .select(*shared, *[name.alias(side) for side, name in names.items()], _correlation().alias("correlation"))
    )


def _pair(first: str, second: str) -> Column:
    """The sum of products of a pair, and the positions of its two features."""
    places = [F.lit(FEATURES.index(feature) + 1).alias(f"place_{side}") for side, feature in ((1, first), (2, second))]
    return F.struct(F.col(f"{first}_{second}").alias("product"), *places)


def _correlation() -> Column:
    """Pearson's r from weighted sums; null where a feature is constant."""
    total = F.nullif(F.col("observations"), F.lit(0)).cast("double")
    mean_1, mean_2 = F.col("sum_1") / total, F.col("sum_2") / total
    deviation_1 = F.sqrt(F.greatest(F.lit(0.0), F.col("squares_1") / total - mean_1 * mean_1))
    deviation_2 = F.sqrt(F.greatest(F.lit(0.0), F.col("squares_2") / total - mean_2 * mean_2))
    r = ratio(F.col("product") / total - mean_1 * mean_2, deviation_1 * deviation_2)
    exists = F.col("varies_1") & F.col("varies_2") & r.isNotNull()
    return F.when(exists, F.greatest(F.lit(-1.0), F.least(F.lit(1.0), r)))


def _strength(size: Column) -> Column:
    return F.when(size < 0.1, "negligible").when(size < 0.3, "weak").when(size < 0.5, "moderate").when(size >= 0.5, "strong")
