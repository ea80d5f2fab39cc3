"""The valence of the next listen, predicted from data before it starts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from features.valence_history import BASELINES, FEATURES, with_history
from lakehouse.declare import Fitted, Retrain, model
from models.common.evaluation import coverage_metric, diagnostic, regression_metrics
from models.common.linear import Linear, alone, fit_ridge, to_arrow
from models.common.listeners import sampled_listeners
from models.common.metric import Metric, rows_of
from music.populations import POPULATIONS
from music.ranking import DIGITS
from music.splits import TEST, TEST_FROM, TRAIN, VALIDATION, VALIDATION_FROM, elapsed_share, moment_at, splits_of

Floats = NDArray[np.float64]

MAX_ROWS = 60_000
MIN_ROWS = 200
"""The fewest measured listens in each of train, validation and test for a model instead of a baseline."""
ALPHAS = (1.0, 10.0, 100.0, 1000.0)
DEFAULT_BASELINE = "exponentially weighted mean"
EVALUATION, REFIT = "evaluation", "refit"
"""The two fits of a model: on the data before the test window, and on all data."""


@dataclass(frozen=True)
class ChosenRegression:
    """What is published for a population."""

    published: str
    best_baseline: str
    alpha: float | None
    fits: Mapping[str, Linear]
    residuals: Mapping[str, tuple[float | None, float | None]]
    """Per fit, the 2.5% and 97.5% quantiles of actual - predicted, on listens that no fit of them has seen"""
    metrics: list[Metric]
    diagnostics: list[dict[str, Any]]
    n: Mapping[str, int]


@model("next_valence", kind="regression", retrain=Retrain(share=0.1, days=90))
def next_valence(listening_with_features: DataFrame, users: DataFrame) -> Fitted:
    """Ridge regression (Hoerl & Kennard 1970) of a measured listen's valence on earlier data, one model per population.

    Temporal split per listener: the last 20% of their time is the test, the 20% before it the validation. The ridge penalty
    and the best baseline are chosen on validation; if the model loses to the baseline on validation or test, the baseline
    is published. Intervals: split conformal (Papadopoulos et al. 2002), from the residuals of listens that the fit has not
    seen. Boosted trees scored no better (RMSE 0.2407 against 0.2406 on the one real listener available) and would need
    Python for every play.
    """
    listeners = sampled_listeners(listening_with_features, users, "is_listen AND is_measured AND valence IS NOT NULL", MAX_ROWS)
    plays = listening_with_features.join(F.broadcast(listeners.select("user_id")), on="user_id", how="left_semi")
    elapsed = elapsed_share(F.col("played_at"), F.col("first_played_at"), F.col("last_played_at"))
    table = (
        with_history(plays)
        .join(F.broadcast(listeners), on="user_id", how="inner")
        .select("population", "user_id", "play_id", "session_id", "valence", elapsed.alias("elapsed"), *FEATURES)
        .toArrow()
    )
    chosen = {name: fit_population(table, name) for name in POPULATIONS}
    seen = listeners.select(
        "user_id",
        moment_at(TEST_FROM).alias("test_from"),
        F.col("last_played_at").alias("trained_until"),
    )
    residuals = [
        {"population": name, "fit": fit, "low": low, "high": high}
        for name, one in chosen.items()
        for fit, (low, high) in one.residuals.items()
    ]
    return Fitted(
        parameters={
            name: {"published": one.published, "best_baseline": one.best_baseline, "alpha": one.alpha}
            for name, one in chosen.items()
        },
        splits={
            "by": "share of each listener's time",
            "validation_from": VALIDATION_FROM,
            "test_from": TEST_FROM,
            "n": {name: dict(one.n) for name, one in chosen.items()},
        },
        metrics=rows_of(metric for one in chosen.values() for metric in one.metrics),
        diagnostics=[row for one in chosen.values() for row in one.diagnostics],
        frames={
            "coefficients": to_arrow({(name, fit): line for name, one in chosen.items() for fit, line in one.fits.items()}),
            "residuals": pa.Table.from_pylist(residuals, _RESIDUALS),
            "listeners": seen.toArrow(),
        },
    )


_RESIDUALS = pa.schema([("population", pa.string()), ("fit", pa.string()), ("low", pa.float64()), ("high", pa.float64())])


def fit_population(table: pa.Table, name: str) -> ChosenRegression:
    """Choose, test and refit on one population's rows of with_history (with population and elapsed)."""
    rows = table.filter(pa.compute.equal(table["population"], name)).sort_by("play_id")
    columns = {c: rows[c].to_numpy(zero_copy_only=False) for c in ("valence", "elapsed", "session_id")}
    features = {c: rows[c].to_numpy(zero_copy_only=False).astype(np.float64) for c in FEATURES}
    actual, split = columns["valence"].astype(np.float64), splits_of(columns["elapsed"])
    n = {part: int(members.sum()) for part, members in split.items()}
    if min(n.values()) < MIN_ROWS:
        return _too_few(features, actual, n)
    train, validation, test = split[TRAIN], split[VALIDATION], split[TEST]
    guesses = {label: _baseline(features, feature, train, actual) for label, feature in BASELINES.items()}
    best = min(BASELINES, key=lambda label: _rmse(actual, guesses[label].predict(features), validation))
    fits = {alpha: fit_ridge(_of(features, train), actual[train], alpha) for alpha in ALPHAS}
    alpha = min(fits, key=lambda a: _rmse(actual, fits[a].predict(features), validation))
    before = train | validation
    evaluation = fit_ridge(_of(features, before), actual[before], alpha)
    refit = fit_ridge(features, actual, alpha)
    simple = {label: guess.predict(features) for label, guess in guesses.items()}
    wins = all(
        _rmse(actual, predicted, part) < _rmse(actual, simple[best], part)
        for predicted, part in ((fits[alpha].predict(features), validation), (evaluation.predict(features), test))
    )
    first = fits[alpha] if wins else guesses[best]
    used = {EVALUATION: evaluation, REFIT: refit} if wins else {EVALUATION: guesses[best], REFIT: guesses[best]}
    residuals = {
        EVALUATION: _quantiles(actual[validation] - first.predict(features)[validation]),
        REFIT: _quantiles(actual[test] - used[EVALUATION].predict(features)[test]),
    }
    note = None if wins else f"published as its baseline, {best}: the model does not beat it"
    metrics: list[Metric] = []
    for part, members, line in ((VALIDATION, validation, fits[alpha]), (TEST, test, evaluation)):
        own = {label: guess[members] for label, guess in simple.items()}
        predicted, sessions = line.predict(features)[members], columns["session_id"][members]
        metrics += regression_metrics(part, name, actual[members], predicted, own, best, sessions, note)
    low, high = residuals[EVALUATION]
    error = (actual - used[EVALUATION].predict(features))[test]
    inside = (error >= (low or 0.0)) & (error <= (high or 0.0))
    metrics += coverage_metric(TEST, name, "coverage of the 95% interval", inside, columns["session_id"][test])
    published = "ridge regression" if wins else best
    return ChosenRegression(published, best, alpha, used, residuals, metrics, _importances(name, refit, features), n)


def _too_few(features: Mapping[str, Floats], actual: Floats, n: Mapping[str, int]) -> ChosenRegression:
    """The result if there is too little to learn from: the baseline, without a score."""
    everything = np.ones(len(actual), dtype=bool)
    line = _baseline(features, BASELINES[DEFAULT_BASELINE], everything, actual)
    fits, unknown = {EVALUATION: line, REFIT: line}, {EVALUATION: (None, None), REFIT: (None, None)}
    return ChosenRegression(DEFAULT_BASELINE, DEFAULT_BASELINE, None, fits, unknown, [], [], n)


def _baseline(features: Mapping[str, Floats], feature: str, members: NDArray[np.bool_], actual: Floats) -> Linear:
    """The feature as the prediction; a listener's first listen gets the mean of the training listens, 0.5 without any."""
    return alone(feature, float(actual[members].mean()) if members.any() else 0.5)


def _of(features: Mapping[str, Floats], members: NDArray[np.bool_]) -> dict[str, Floats]:
    return {name: values[members] for name, values in features.items()}


def _rmse(actual: Floats, predicted: Floats, members: NDArray[np.bool_]) -> float:
    """The root mean square error, rounded, so that choices made by it do not depend on the order of a sum."""
    return round(float(np.sqrt(np.mean((actual[members] - predicted[members]) ** 2))), DIGITS)


def _quantiles(residuals: Floats) -> tuple[float, float]:
    low, high = np.quantile(residuals, [0.025, 0.975])
    return float(low), float(high)


def _importances(name: str, line: Linear, features: Mapping[str, Floats]) -> list[dict[str, Any]]:
    """Change of the prediction, in valence, per standard deviation of each feature; the largest first."""
    spread = {f: weight * float(np.nanstd(features[f])) for f, weight in line.weights.items()}
    ordered = sorted(spread, key=lambda f: (-round(abs(spread[f]), DIGITS), f))
    first = 0 if name == POPULATIONS[0] else len(FEATURES)
    return diagnostic("importance", name, [{"label": f, "value": spread[f]} for f in ordered], first)
