"""The distribution of behaviour measures over the listeners of a population, as percentiles that place a listener."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pyspark.sql import DataFrame

from features.behaviour import AXES, MEASURES, behaviour
from lakehouse.declare import Fitted, model
from models.clusters.clustering import numbered
from models.common.metric import Metric, rows_of
from models.common.sample import sampled
from music.bootstrap import percentiles, resampled, row_medians

LISTENERS = 20_000
FEWEST_LISTENS = 100
"""Listeners with fewer listens reveal little about how they listen, and do not count."""
PERCENTS = np.arange(1, 100)
RESAMPLES = 500


@model("segment_cut_points", kind="percentiles")
def segment_cut_points(listening_with_features: DataFrame) -> Fitted:
    """The 1st to 99th percentile of each measure over the listeners of a population with at least 100 listens.

    At most 20,000 listeners are sampled by a hash of their ids; the 95% interval of the median is a bootstrap over
    listeners.
    """
    known = behaviour(listening_with_features).where(f"total_listens >= {FEWEST_LISTENS}")
    samples = sampled(known, ["user_id"], MEASURES, LISTENERS)
    rows = [_cut_points(population, values) for population, values in samples.items()]
    return Fitted(
        parameters={"measures": list(MEASURES), "fewest_listens": FEWEST_LISTENS},
        splits={population: {"listeners": len(values)} for population, values in samples.items()},
        metrics=rows_of(median for population, values in samples.items() for median in _medians(population, values)),
        diagnostics=numbered([row for population, values in samples.items() for row in _curves(population, values)]),
        frames={"cut_points": pa.Table.from_pylist(rows, schema=_schema())},
    )


def _schema() -> pa.Schema:
    cuts = [pa.field(f"{name}_cuts", pa.list_(pa.float64())) for name in MEASURES]
    counts = [pa.field(f"{name}_listeners", pa.int64()) for name in MEASURES]
    return pa.schema([pa.field("population", pa.string()), *cuts, *counts])


def _column(values: NDArray[np.float64], place: int) -> NDArray[np.float64]:
    """A measure of those listeners for whom it is known."""
    column = values[:, place]
    return column[~np.isnan(column)]


def _cut_points(population: str, values: NDArray[np.float64]) -> dict[str, Any]:
    row: dict[str, Any] = {"population": population}
    for place, name in enumerate(MEASURES):
        column = _column(values, place)
        row[f"{name}_cuts"] = np.percentile(column, PERCENTS).tolist() if len(column) else []
        row[f"{name}_listeners"] = len(column)
    return row


def _medians(population: str, values: NDArray[np.float64]) -> list[Metric]:
    medians = []
    for place, axis in enumerate(AXES):
        column = np.sort(_column(values, place))
        if not len(column):
            continue
        low, high = percentiles(resampled(column, row_medians, RESAMPLES, place))
        medians.append(
            Metric(
                population,
                "all",
                f"median {axis.measure}",
                value=float(np.median(column)),
                n=len(column),
                low=float(low),
                high=float(high),
                baseline="published or even spread" if axis.reference is not None else None,
                baseline_value=axis.reference,
                note=f"listeners of {FEWEST_LISTENS} listens or more",
            )
        )
    return medians


def _curves(population: str, values: NDArray[np.float64]) -> list[dict[str, Any]]:
    rows = []
    for place, name in enumerate(MEASURES):
        column = _column(values, place)
        for percent in range(10, 100, 10) if len(column) else ():
            shared = {"kind": "cut_point", "population": population, "label": name, "n": len(column)}
            rows.append({**shared, "x": percent / 100, "value": float(np.percentile(column, percent))})
    return rows
