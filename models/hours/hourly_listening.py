"""How many minutes a listener will listen in each hour of the next week, and how energetic that music will be."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from features.hourly_history import ENERGY_FEATURES, MINUTE_FEATURES, anchors, listened_hours, weekly_features
from lakehouse.declare import Fitted, Retrain, model
from models.common.evaluation import coverage_metric, diagnostic, loss_metrics, regression_metrics
from models.common.linear import Linear, alone, fit_ridge, to_arrow
from models.common.listeners import sampled_listeners
from models.common.metric import Metric, rows_of
from models.hours.hourly_quantiles import (
    BINS,
    ENDS,
    ENERGY,
    MINUTES,
    Floats,
    Hours,
    Mask,
    Target,
    bins_of,
    forecasts,
    hours_of,
)
from music.populations import POPULATIONS, population
from music.ranking import DIGITS
from music.splits import TEST, TEST_FROM, TRAIN, VALIDATION, VALIDATION_FROM
from music.statistics import ratio

BACKTEST_WEEKS = 4
"""Weeks before as_of whose forecasts are in the table next to the actual values; never used in training or validation."""
MAX_PLAYS = 300_000
LISTENER_WEEKS = 600
MIN_HOURS = 300
"""The fewest hours in each of train, validation and test for a model instead of a baseline."""
ALPHAS = (1.0, 100.0, 1000.0, 10_000.0)
EVALUATION, REFIT = "evaluation", "refit"


@dataclass(frozen=True)
class ChosenForecast:
    """What is published for a target of a population."""

    published: str
    fits: Mapping[str, Linear]
    bins: Sequence[Mapping[str, Any]]
    metrics: Sequence[Metric] = ()
    diagnostics: Sequence[Mapping[str, Any]] = field(default_factory=list)
    n: Mapping[str, int] = field(default_factory=dict)


@model("hourly_listening", kind="forecast", retrain=Retrain(share=0.1, days=90))
def hourly_listening(listening_with_features: DataFrame, users: DataFrame) -> Fitted:
    """Ridge regression of an hour's minutes, and of its mean energy where there is listening, on the listener's past weeks.

    Features are means by hour of week and hour of day, with half-lives of 4 and 26 weeks and without decay. Rolling origin
    (Tashman 2000): the 168 hours after the end of a week are forecast from the data before. Minutes are 0 in most hours, so
    their quantiles are taken from hours with a similar forecast (20 bins: Mondrian conformal, Vovk et al. 2005); if the
    lower end is 0, the upper tail gets the whole error share. Energy has one bin of residuals. Quantiles are calibrated on
    weeks before those they are evaluated on. The ridge penalty, and whether the model beats its baselines, are decided by
    pinball loss on validation, and by squared error in case of a tie. If the model loses on validation or test, the
    baseline is published.
    """
    listeners = sampled_listeners(listening_with_features, users, "play_id IS NOT NULL", MAX_PLAYS).select("user_id")
    plays = listening_with_features.join(F.broadcast(listeners), on="user_id", how="left_semi")
    anchored = anchors(plays, users).withColumn("population", population(F.col("is_synthetic")))
    table = _rolling_origins(plays, anchored).toArrow()
    chosen = {(name, target.name): _fit(table, name, target) for name in POPULATIONS for target in (MINUTES, ENERGY)}
    fits = {(f"{name} {t}", fit): line for (name, t), one in chosen.items() for fit, line in one.fits.items()}
    return Fitted(
        parameters={"published": {f"{name} {target}": one.published for (name, target), one in chosen.items()}},
        splits={
            "by": "share of each listener's weeks",
            "validation_from": VALIDATION_FROM,
            "test_from": TEST_FROM,
            "n": {f"{name} {target}": dict(one.n) for (name, target), one in chosen.items()},
        },
        metrics=rows_of(metric for one in chosen.values() for metric in one.metrics),
        diagnostics=_numbered([row for one in chosen.values() for row in one.diagnostics]),
        frames={
            "coefficients": to_arrow(fits),
            "bins": pa.Table.from_pylist([row for one in chosen.values() for row in one.bins], _BINS),
            "listeners": anchored.select("user_id", F.col("as_of").alias("trained_until")).toArrow(),
        },
    )


_BINS = pa.schema(
    [(name, pa.string()) for name in ("population", "target", "fit")]
    + [("bin", pa.int32()), *[(name, pa.float64()) for name in ("from", *ENDS, "listening_share")], ("n", pa.int64())]
)


def _numbered(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    numbers: dict[str, int] = {}
    numbered = []
    for row in rows:
        numbers[row["kind"]] = numbers.get(row["kind"], -1) + 1
        numbered.append({**row, "row": numbers[row["kind"]]})
    return numbered


def _rolling_origins(plays: DataFrame, anchored: DataFrame) -> DataFrame:
    """One row per sampled week of a listener and hour of that week: features known before the week, actual values, time."""
    hours = listened_hours(plays, anchored)
    weeks = anchored.where("weeks >= 2").select("user_id", "population", "weeks", F.floor("weeks").cast("int").alias("whole"))
    back = F.explode(F.sequence(F.lit(1), F.col("whole") - 1)).alias("back")
    every = weeks.select("user_id", "population", "weeks", back)
    number = F.first("number").alias("number")
    totals = every.groupBy("population").agg(F.count(F.lit(1)).alias("number")).groupBy("population").agg(number)
    step = F.ceil(F.col("number") / F.lit(float(LISTENER_WEEKS))).cast("bigint")
    origins = (
        every.join(F.broadcast(totals), on="population", how="inner")
        .where(F.pmod(F.xxhash64("user_id", "back"), step) == 0)
        .select("user_id", "population", "back", "weeks")
    )
    came = hours.select("user_id", (F.col("week") + 1).alias("back"), "cell", "minutes", "energy_sum", "energy_listens")
    came = came.groupBy("user_id", "back", "cell").agg(
        *[F.sum(name).alias(name) for name in ("minutes", "energy_sum", "energy_listens")]
    )
    return (
        weekly_features(hours, origins)
        .join(F.broadcast(origins), on=["user_id", "back"], how="inner")
        .join(came, on=["user_id", "back", "cell"], how="left")
        .withColumn("elapsed", F.lit(1.0) - F.col("back") / F.col("weeks"))
        .withColumn("elapsed", F.when(F.col("back") <= BACKTEST_WEEKS, F.lit(1.0)).otherwise(F.col("elapsed")))
        .withColumn("energy", ratio(F.col("energy_sum"), F.col("energy_listens")))
        .withColumn("minutes", F.coalesce("minutes", F.lit(0.0)))
        .select(
            *["population", "user_id", "back", "cell", "elapsed", "minutes", "energy"],
            *["last_week_minutes", "last_week_energy", "hour_of_week_energy", *MINUTE_FEATURES, *ENERGY_FEATURES],
        )
    )


def _fit(table: pa.Table, name: str, target: Target) -> ChosenForecast:
    """Choose on validation, judge on test, refit, for one population and target."""
    hours = hours_of(table, name, target)
    n = {part: int(members.sum()) for part, members in hours.split.items()}
    fill = float(hours.actual.mean()) if len(hours.actual) else 0.5
    simple = {label: alone(column, fill) for label, column in target.baselines.items()}
    if min(n.values()) < MIN_HOURS:
        return _too_few(hours, name, fill, n)
    train, validation, test = hours.split[TRAIN], hours.split[VALIDATION], hours.split[TEST]
    features = {c: hours.features[c] for c in target.features}
    fits = {a: fit_ridge(_of(features, train), hours.actual[train], a, positive=target.positive) for a in ALPHAS}
    alpha = min(fits, key=lambda a: hours.badness(fits[a], VALIDATION))
    best = min(simple, key=lambda label: hours.badness(simple[label], VALIDATION))
    wins = all(hours.badness(fits[alpha], part) < hours.badness(simple[best], part) for part in (VALIDATION, TEST))
    refit = fit_ridge(features, hours.actual, alpha, positive=target.positive)
    used = {EVALUATION: fits[alpha], REFIT: refit} if wins else {EVALUATION: simple[best], REFIT: simple[best]}
    note = None if wins else f"published as its baseline, {best}: the model does not beat it"
    metrics = _scored(hours, name, fits[alpha], simple, best, note) + _covered(hours, name, used[EVALUATION])
    # The refit has no unseen week yet: its quantiles are about the forecasts of the fit that has.
    unseen, forecast = validation | test, forecasts(used[EVALUATION], hours.features)
    bins = (
        bins_of(target, forecast, hours.actual, unseen & (hours.back > BACKTEST_WEEKS)),
        bins_of(target, forecast, hours.actual, unseen),
    )
    stored = [
        {**row, "population": name, "target": target.name, "fit": fit}
        for fit, rows in zip((EVALUATION, REFIT), bins, strict=True)
        for row in rows
    ]
    return ChosenForecast(
        "ridge regression" if wins else best, used, stored, metrics, _calibration(hours, name, used[EVALUATION]), n
    )


def _too_few(hours: Hours, name: str, fill: float, n: Mapping[str, int]) -> ChosenForecast:
    """The result if there is too little to learn from: a rule, quantiles if there are any hours, and no score."""
    published, column = hours.target.fallback
    line = alone(column, fill)
    fits = {EVALUATION: line, REFIT: line}
    stored: list[dict[str, Any]] = []
    if len(hours.actual) >= BINS:
        forecast = forecasts(line, hours.features)
        rows = bins_of(hours.target, forecast, hours.actual, np.ones(len(forecast), dtype=bool))
        stored = [{**row, "population": name, "target": hours.target.name, "fit": fit} for fit in fits for row in rows]
    return ChosenForecast(published, fits, stored, n=n)


def _of(features: Mapping[str, Floats], members: Mask) -> dict[str, Floats]:
    return {name: values[members] for name, values in features.items()}


def _scored(hours: Hours, name: str, line: Linear, simple: Mapping[str, Linear], best: str, note: str | None) -> list[Metric]:
    """Errors of the mean forecast and pinball loss of the quantiles, for the model and for baselines with such quantiles."""
    metrics: list[Metric] = []
    for part in (VALIDATION, TEST):
        members = hours.split[part]
        guesses = {label: rule.predict(hours.features)[members] for label, rule in simple.items()}
        predicted, actual, weeks = line.predict(hours.features)[members], hours.actual[members], hours.week[members]
        errors = regression_metrics(part, name, actual, predicted, guesses, best, weeks, note)
        metrics += [replace(error, metric=f"{hours.target.name} {error.metric}") for error in errors]
        losses = {"": hours.loss(line, part), **{f": {label}": hours.loss(rule, part) for label, rule in simple.items()}}
        title = f"{hours.target.name} pinball loss"
        metrics += loss_metrics(part, name, title, losses, f": {best}", weeks, note)
    return [replace(metric, note=_doubt(metric)) for metric in metrics]


def _doubt(metric: Metric) -> str | None:
    """The metric's note; it says so if the model is published although this measure does not support it."""
    if metric.note is not None or metric.skill_low is None or metric.skill_low > 0:
        return metric.note
    is_worse = metric.skill_high is not None and metric.skill_high < 0
    said = f"worse than {metric.baseline}" if is_worse else f"not better than {metric.baseline} beyond chance"
    why = "its lower mean pinball loss on validation and test (where that ties: squared error)"
    return f"{said} by this measure; published for {why}"


def _covered(hours: Hours, name: str, line: Linear) -> list[Metric]:
    """The share of test hours inside the intervals as published."""
    ends, members = hours.quantiles(line, TEST), hours.split[TEST]
    actual, weeks, rows = hours.actual[members], hours.week[members], list[Metric]()
    for level in (95, 80):
        inside = (actual >= ends[f"low_{level}"]) & (actual <= ends[f"high_{level}"])
        title = f"{hours.target.name} coverage of the {level}% interval"
        rows += coverage_metric(TEST, name, title, inside, weeks)
        if hours.target is MINUTES:
            heard = actual > 0
            rows += coverage_metric(TEST, name, f"{title}, hours with listening", inside[heard], weeks[heard])
    return rows


def _calibration(hours: Hours, name: str, line: Linear) -> list[dict[str, Any]]:
    """Per tenth of the forecasts of the test, their mean and the share of hours inside the 95% interval."""
    ends, members = hours.quantiles(line, TEST), hours.split[TEST]
    actual, forecast = hours.actual[members], line.predict(hours.features)[members]
    inside = (actual >= ends["low_95"]) & (actual <= ends["high_95"])
    order = np.argsort(forecast.round(DIGITS), kind="stable")
    rows = [
        {
            "label": f"{hours.target.name}: inside the 95% interval, tenth {tenth} of forecasts",
            "x": float(forecast[own].mean()),
            "value": float(inside[own].mean()),
            "n": len(own),
        }
        for tenth, own in enumerate(np.array_split(order, 10), start=1)
    ]
    return diagnostic("calibration", name, rows)
