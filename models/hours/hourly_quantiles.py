"""Quantiles of hourly forecasts, from hours with a similar forecast, calibrated on weeks before those they are judged on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from features.hourly_history import BASELINES, ENERGY_BASELINES, ENERGY_FEATURES, MINUTE_FEATURES
from models.common.linear import Linear
from music.ranking import DIGITS, SUM_DIGITS
from music.splits import TEST_FROM, TRAIN, VALIDATION, VALIDATION_FROM, splits_of

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]

BINS = 20
QUANTILES = {"q025": 0.025, "q100": 0.1, "q500": 0.5, "q800": 0.8, "q900": 0.9, "q950": 0.95, "q975": 0.975}
ENDS = ("low_95", "low_80", "median", "high_80", "high_95")
DECIMALS = 6
"""Forecasts are rounded to this many digits before binning, because the last bits of a sum depend on the order of rows."""
TEST_BLOCKS = 4
"""The test data has this many parts, and calibration is repeated before each, as retraining would do."""


@dataclass(frozen=True)
class Target:
    """One of the two figures that are forecast."""

    name: str
    features: Sequence[str]
    baselines: Mapping[str, str]
    fallback: tuple[str, str]
    """What is published where there is too little to learn from or to judge by, and its column."""
    positive: bool


MINUTES = Target("minutes", MINUTE_FEATURES, BASELINES, ("hour-of-week mean", "all_hour"), True)
# One quiet listen must not make all Tuesdays at nine quiet.
OWN_ENERGY = ("hour-of-week mean, drawn to the listener's own", "all_hour_energy")
ENERGY = Target("energy", ENERGY_FEATURES, ENERGY_BASELINES, OWN_ENERGY, False)


Quantiles = Mapping[str, Floats]


@dataclass(frozen=True)
class Hours:
    """The hours of one population's sampled weeks, in the order of listener, week and hour."""

    target: Target
    actual: Floats
    features: Mapping[str, Floats]
    elapsed: Floats
    back: NDArray[np.int64]
    week: NDArray[np.str_]
    """listener and week: hours of a week are alike, so it is drawn whole in intervals of metrics"""

    @property
    def split(self) -> dict[str, Mask]:
        return splits_of(self.elapsed)

    def blocks(self, part: str) -> list[tuple[Mask, Mask]]:
        """What calibrates what: train for validation; validation and earlier test data for each quarter of the test."""
        if part == VALIDATION:
            return [(self.split[TRAIN], self.split[VALIDATION])]
        starts = np.linspace(TEST_FROM, 1.0, TEST_BLOCKS + 1)
        ends = [*starts[1:-1], np.inf]
        return [
            ((self.elapsed >= VALIDATION_FROM) & (self.elapsed < start), (self.elapsed >= start) & (self.elapsed < end))
            for start, end in zip(starts, ends, strict=False)
        ]

    def quantiles(self, line: Linear, part: str) -> Quantiles:
        """The forecast's quantiles for the hours of a part, each block's calibrated on earlier hours."""
        forecast = forecasts(line, self.features)
        quantiles = {name: np.full(len(forecast), np.nan) for name in (*QUANTILES, *ENDS)}
        for calibrating, asked in self.blocks(part):
            bins = bins_of(self.target, forecast, self.actual, calibrating)
            for name, values in quantiles.items():
                values[asked] = _looked_up(self.target, forecast[asked], bins, name)
        return {name: values[self.split[part]] for name, values in quantiles.items()}

    def loss(self, line: Linear, part: str) -> Floats:
        """Pinball loss (Koenker & Bassett 1978) of each hour, mean over the quantiles: scores the whole forecast."""
        quantiles, came = self.quantiles(line, part), self.actual[self.split[part]]
        return np.asarray(
            np.mean(
                [np.maximum(q * (came - quantiles[name]), (q - 1) * (came - quantiles[name])) for name, q in QUANTILES.items()],
                axis=0,
            )
        )

    def badness(self, line: Linear, part: str) -> tuple[float, float]:
        """The measures by which forecasts are compared: pinball loss, then squared error.

        For a listener who listens in one hour out of a hundred, the quantiles are 0 for every forecast, so the loss alone
        says nothing.
        """
        members = self.split[part]
        error = line.predict(self.features)[members] - self.actual[members]
        return round(float(self.loss(line, part).mean()), DECIMALS), round(float(np.mean(error * error)), DIGITS)


def hours_of(table: pa.Table, name: str, target: Target) -> Hours:
    order = [("user_id", "ascending"), ("back", "ascending"), ("cell", "ascending")]
    rows = table.filter(pc.and_(pc.equal(table["population"], name), pc.is_valid(table[target.name]))).sort_by(order)
    columns = {c: rows[c].to_numpy(zero_copy_only=False) for c in rows.column_names}
    names = sorted({*target.features, *target.baselines.values(), target.fallback[1]})
    week = np.char.add(np.char.add(columns["user_id"].astype(str), "/"), columns["back"].astype(str))
    return Hours(
        target,
        columns[target.name].astype(np.float64),
        {c: columns[c].astype(np.float64) for c in names},
        columns["elapsed"].astype(np.float64),
        columns["back"].astype(np.int64),
        week,
    )


def forecasts(line: Linear, features: Mapping[str, Floats]) -> Floats:
    """A model's forecasts to DECIMALS; a mean of few listens may be a half of the last one, which no last bit must turn."""
    return np.asarray(np.round(np.round(line.predict(features), SUM_DIGITS), DECIMALS))


def bins_of(target: Target, predicted: Floats, actual: Floats, members: Mask) -> list[dict[str, Any]]:
    """Empirical quantiles of actual values in hours with a similar forecast (minutes), or of actual minus forecast (energy)."""
    forecast, came = predicted[members], actual[members]
    # Edges are forecasts that occurred, so no bin is empty.
    inner: Any = [] if target is ENERGY else np.unique(np.quantile(forecast, np.arange(1, BINS) / BINS, method="inverted_cdf"))
    edges = [-np.inf, *(float(edge) for edge in inner if edge > forecast.min())]
    index = np.searchsorted(edges, forecast, side="right") - 1
    rows = []
    for number, edge in enumerate(edges):
        own = came[index == number] - (forecast[index == number] if target is ENERGY else 0.0)
        levels = np.quantile(own, list(QUANTILES.values()), method="inverted_cdf")
        row = dict(zip(QUANTILES, levels.tolist(), strict=True))
        # Nothing lies below 0 minutes: an interval from there may leave out its whole share above.
        high_95 = row["q950"] if target is MINUTES and row["q025"] == 0 else row["q975"]
        high_80 = row["q800"] if target is MINUTES and row["q100"] == 0 else row["q900"]
        row |= {"low_95": row["q025"], "low_80": row["q100"], "median": row["q500"], "high_80": high_80, "high_95": high_95}
        told_of = {"bin": number, "from": float(max(edge, -1e9)), "listening_share": float((own > 0).mean()), "n": len(own)}
        rows.append(row | told_of)
    return rows


def _looked_up(target: Target, predicted: Floats, bins: Sequence[Mapping[str, Any]], column: str) -> Floats:
    values = np.array([row[column] for row in bins])[_bin_of(predicted, bins)]
    return np.clip(predicted + values, 0, 1) if target is ENERGY else values


def _bin_of(predicted: Floats, bins: Sequence[Mapping[str, Any]]) -> NDArray[np.int64]:
    return np.searchsorted([row["from"] for row in bins], predicted, side="right") - 1
