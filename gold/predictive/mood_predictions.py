"""What was the predicted valence of each listen, from data before it started?"""

from __future__ import annotations

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from features.valence_history import BASELINES, with_history
from lakehouse.declare import Model, column, satisfies, table
from models.common.linear import choose, from_arrow
from models.valence.next_valence import EVALUATION, REFIT
from music.populations import POPULATIONS, population
from music.splits import TEST_FROM, elapsed_share


@table(
    "gold.mood_predictions",
    key=["user_id", "play_id", "model_id"],
    scope="user",
    schema=[
        column("user_id", "string", "listener"),
        column("play_id", "string", "play that was predicted"),
        column("model_id", "string", "model that made the prediction, see ops.models"),
        column("played_at", "timestamp", "start of the listen, UTC", nullable=False),
        column("hour_of_day", "int", "hour of the start, 0-23 (UTC if the time zone is unknown)", nullable=False),
        column("day_of_week", "int", "1 (Monday) to 7 (Sunday)", nullable=False),
        column("valence", "double", "actual value: measured valence of the track, 0-1", nullable=False, between=(0, 1)),
        column("predicted_valence", "double", "prediction made before the play started, 0-1", nullable=False, between=(0, 1)),
        column("low", "double", "lower end of the 95% prediction interval; null with too little training data"),
        column("high", "double", "upper end of the 95% prediction interval"),
        column("baseline_valence", "double", "prediction of the best baseline, 0-1", nullable=False, between=(0, 1)),
        column("baseline", "string", "best of four baselines on the validation window", nullable=False, one_of=tuple(BASELINES)),
        column(
            "published", "string", "method of the prediction: the model, or the baseline that it does not beat", nullable=False
        ),
        column(
            "fit",
            "string",
            "evaluation: trained on data before the test window; refit: trained on all listens before training, all earlier",
            one_of=(EVALUATION, REFIT),
        ),
        column("energy", "double", "measured energy of the track, 0-1; not predicted"),
        column("tempo", "double", "measured tempo of the track, beats per minute; not predicted"),
    ],
    rules=[
        satisfies(
            "the interval is in order",
            ["low", "high"],
            lambda: F.coalesce(F.col("low") <= F.col("high"), F.lit(True)),
        )
    ],
)
def mood_predictions(listening_with_features: DataFrame, users: DataFrame, next_valence: Model) -> DataFrame:
    """One row per measured listen in the last 20% of a listener's time.

    No row is predicted by a fit that was trained on it: listens available at training are predicted by the fit trained
    before the test window, later ones by the refit. Listens of tracks with estimated features have no row, because there is
    no measurement to compare with.
    """
    seen = next_valence.frame("listeners")
    spans = users.select("user_id", population(F.col("is_synthetic")).alias("population"), "first_played_at", "last_played_at")
    elapsed = elapsed_share(F.col("played_at"), F.col("first_played_at"), F.col("last_played_at"))
    listens = (
        with_history(listening_with_features)
        .join(F.broadcast(spans), on="user_id", how="inner")
        .join(F.broadcast(seen), on="user_id", how="left")
        .where(elapsed >= TEST_FROM)
        # A history that reaches further back than at training moves the window; what was trained on stays out.
        .where(F.coalesce(F.col("played_at") >= F.col("test_from"), F.lit(True)))
        .withColumn("fit", F.when(F.col("played_at") <= F.col("trained_until"), EVALUATION).otherwise(REFIT))
    )
    lines = from_arrow(next_valence.arrow("coefficients"))
    residuals = {(r["population"], r["fit"]): r for r in next_valence.arrow("residuals").to_pylist()}
    chosen = next_valence.parameters
    predicted = _unit(choose((_is(*key), line.column()) for key, line in lines.items()))
    scored = listens.withColumn("predicted_valence", predicted)
    rule = choose((_of(name), F.lit(chosen[name]["best_baseline"])) for name in POPULATIONS)
    simple = choose((_of(name), F.col(BASELINES[chosen[name]["best_baseline"]])) for name in POPULATIONS)
    bounds = {
        end: _unit(
            choose((_is(*key), F.col("predicted_valence") + F.lit(ends[end]).cast("double")) for key, ends in residuals.items())
        )
        for end in ("low", "high")
    }
    return scored.select(
        *["user_id", "play_id"],
        F.lit(next_valence.id).alias("model_id"),
        *["played_at", "hour_of_day", "day_of_week", "valence", "predicted_valence"],
        *[bound.alias(end) for end, bound in bounds.items()],
        # Before a listener's first listen no rule knows anything, and the model's own answer is as good.
        F.coalesce(simple, F.col("predicted_valence")).alias("baseline_valence"),
        rule.alias("baseline"),
        choose((_of(name), F.lit(chosen[name]["published"])) for name in POPULATIONS).alias("published"),
        *["fit", "energy", "tempo"],
    )


def _of(population: str) -> Column:
    return F.col("population") == population


def _is(population: str, fit: str) -> Column:
    return _of(population) & (F.col("fit") == fit)


def _unit(value: Column) -> Column:
    """Clipped to 0-1; least and greatest would ignore null."""
    return F.when(value < 0, F.lit(0.0)).when(value > 1, F.lit(1.0)).otherwise(value)
