"""How does a listener's mood move from one listen to the next within a session, and which moves are significant?"""

from __future__ import annotations

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from lakehouse.declare import column, satisfies, table
from music.listening import listens, mood_not_synthetic, not_synthetic
from music.moods import MOODS
from music.statistics import Z_95, ratio, significant, wilson_interval, with_holm, with_normal_p_value

MAGNITUDES = ("none", "small", "medium", "large")


@table(
    "gold.mood_shift_patterns",
    key=["user_id", "from_mood", "to_mood"],
    scope="user",
    schema=[
        column("user_id", "string", "listener"),
        column("from_mood", "string", "mood_category of a listen", one_of=MOODS),
        column("to_mood", "string", "mood_category of the next listen of the same session", one_of=MOODS),
        column("shifts", "bigint", "number of observed pairs", nullable=False, at_least=1),
        column("from_total", "bigint", "number of pairs that start in from_mood", nullable=False),
        column("share", "double", "shifts / from_total, 0-1", nullable=False, between=(0, 1)),
        column("share_low", "double", "lower end of its 95% interval (Wilson)", nullable=False),
        column("share_high", "double", "upper end of its 95% interval", nullable=False),
        column(
            "expected", "double", "expected number of pairs if the next mood were independent of the current one", nullable=False
        ),
        column("lift", "double", "shifts / expected; 1 = no pattern", nullable=False),
        column("lift_low", "double", "lower end of its 95% interval; null if only one mood occurs on either side"),
        column("lift_high", "double", "upper end of its 95% interval"),
        column(
            "p_value",
            "double",
            "two-sided p-value for no pattern in this pair; null if only one mood occurs on either side",
            between=(0, 1),
        ),
        column("p_corrected", "double", "p_value, Holm-corrected over the listener's mood pairs"),
        column("is_significant", "boolean", "p_corrected < 0.05; false if it could not be tested", nullable=False),
        column("avg_valence_change", "double", "mean change of valence, -1 to 1", nullable=False, between=(-1, 1)),
        column("avg_energy_change", "double", "mean change of energy, -1 to 1", nullable=False, between=(-1, 1)),
        column("avg_valence_distance", "double", "mean absolute change of valence, 0-1", nullable=False),
        column(
            "shift_magnitude",
            "string",
            "by avg_valence_distance: small < 0.2, medium < 0.4, else large; none for the same mood",
            nullable=False,
            one_of=MAGNITUDES,
        ),
        column(
            "measured_share",
            "double",
            "share (0-1) of pairs where both listens have measured features",
            nullable=False,
            between=(0, 1),
        ),
    ],
    rules=[
        satisfies("shifts <= from_total", ["shifts", "from_total"], lambda: F.col("shifts") <= F.col("from_total")),
        satisfies(
            "the interval holds the share",
            ["share", "share_low", "share_high"],
            lambda: F.col("share").between(F.col("share_low") - 1e-9, F.col("share_high") + 1e-9),
        ),
        satisfies(
            "the interval holds the lift",
            ["lift", "lift_low", "lift_high"],
            lambda: F.coalesce(F.col("lift").between(F.col("lift_low"), F.col("lift_high")), F.lit(True)),
        ),
        satisfies(
            "none is the same mood",
            ["shift_magnitude", "from_mood", "to_mood"],
            lambda: (F.col("shift_magnitude") == "none") == (F.col("from_mood") == F.col("to_mood")),
        ),
    ],
)
def mood_shift_patterns(listening_with_features: DataFrame) -> DataFrame:
    """One row per listener and ordered pair of moods that occurred in consecutive listens of a session.

    A listen of unknown mood breaks the chain: no pair spans it. Under a Markov chain the pairs behave like a contingency
    table (Anderson & Goodman, Ann. Math. Stat. 28, 1957): share with Wilson's interval (1927), p-value from the cell's
    adjusted residual (Haberman, Biometrics 29, 1973), lift with the delta-method interval of its logarithm (Agresti,
    Categorical Data Analysis, 3rd ed. 2013, ch. 16). A playlist that is played in order counts as a pattern, just like the
    listener's own choices.
    """
    tests = with_holm(_with_chance(_counts(_pairs(listens(listening_with_features)))), ["user_id"], ["from_mood", "to_mood"])
    share_low, share_high = wilson_interval(F.col("shifts"), F.col("from_total"))
    half = F.lit(Z_95) * F.col("log_lift_error")
    return tests.select(
        *["user_id", "from_mood", "to_mood", "shifts", "from_total"],
        ratio(F.col("shifts"), F.col("from_total")).alias("share"),
        share_low.alias("share_low"),
        share_high.alias("share_high"),
        *["expected", "lift"],
        (F.col("lift") * F.exp(-half)).alias("lift_low"),
        (F.col("lift") * F.exp(half)).alias("lift_high"),
        *["p_value", "p_corrected"],
        significant(F.col("p_corrected")).alias("is_significant"),
        *["avg_valence_change", "avg_energy_change", "avg_valence_distance"],
        _magnitude().alias("shift_magnitude"),
        "measured_share",
    )


def _pairs(listens: DataFrame) -> DataFrame:
    """One row per listen that is directly followed by another in its session, both with known mood."""
    following = Window.partitionBy("user_id").orderBy("play_number")
    is_same_session = F.lead("session_id").over(following) == F.col("session_id")
    moods = listens.select(
        *["user_id", "session_id", "play_number", "is_measured"],
        mood_not_synthetic().alias("mood"),
        not_synthetic("valence").alias("valence"),
        not_synthetic("energy").alias("energy"),
    )
    return moods.select(
        "user_id",
        F.col("mood").alias("from_mood"),
        F.when(is_same_session, F.lead("mood").over(following)).alias("to_mood"),
        (F.lead("valence").over(following) - F.col("valence")).alias("valence_change"),
        (F.lead("energy").over(following) - F.col("energy")).alias("energy_change"),
        (F.lead("is_measured").over(following) & F.col("is_measured")).alias("both_measured"),
    ).where("from_mood IS NOT NULL AND to_mood IS NOT NULL")


def _counts(pairs: DataFrame) -> DataFrame:
    return pairs.groupBy("user_id", "from_mood", "to_mood").agg(
        F.count(F.lit(1)).alias("shifts"),
        F.avg("valence_change").alias("avg_valence_change"),
        F.avg("energy_change").alias("avg_energy_change"),
        F.avg(F.abs(F.col("valence_change"))).alias("avg_valence_distance"),
        F.avg(F.col("both_measured").cast("double")).alias("measured_share"),
    )


def _with_chance(counts: DataFrame) -> DataFrame:
    """Compares each cell with the count that its row and column totals imply without a pattern."""
    cell, row, col, total = (F.col(name).cast("double") for name in ("shifts", "from_total", "to_total", "total"))
    one, expected = F.lit(1.0), F.col("expected")
    residual_variance = expected * (one - row / total) * (one - col / total)
    # Var(log lift) for multinomial pairs, written out from the gradient of log(cell * total / (row * col)).
    log_variance = one / cell - one / row - one / col - one / total + F.lit(2.0) * cell / (row * col)
    testable = (F.col("from_total") < F.col("total")) & (F.col("to_total") < F.col("total"))
    against_chance = (
        counts.withColumns(
            {
                "from_total": F.sum("shifts").over(Window.partitionBy("user_id", "from_mood")),
                "to_total": F.sum("shifts").over(Window.partitionBy("user_id", "to_mood")),
                "total": F.sum("shifts").over(Window.partitionBy("user_id")),
            }
        )
        .withColumn("expected", row * col / total)
        .withColumns(
            {
                "lift": cell / expected,
                "residual": ratio(cell - expected, F.when(testable, F.sqrt(residual_variance))),
                "log_lift_error": F.when(testable, F.sqrt(F.greatest(log_variance, F.lit(0.0)))),
            }
        )
    )
    return with_normal_p_value(against_chance, "residual")


def _magnitude() -> Column:
    """Bands as wide as the neutral band of valence (0.2), so that a medium shift crosses it."""
    distance = F.col("avg_valence_distance")
    changed = F.when(distance < 0.2, "small").when(distance < 0.4, "medium").otherwise("large")
    return F.when(F.col("from_mood") == F.col("to_mood"), "none").otherwise(changed)
