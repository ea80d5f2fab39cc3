"""Linear models: what is fitted, and that every engine scores it as it was fitted."""

from __future__ import annotations

import numpy as np
import pytest
from pyspark.sql import SparkSession

from models.common.linear import Linear, alone, fit_ridge, from_arrow, to_arrow


def test_a_plane_is_recovered_and_missing_values_are_means() -> None:
    draw = np.random.default_rng(1)
    x, z = draw.normal(5, 2, 500), draw.normal(-1, 3, 500)
    line = fit_ridge({"x": x, "z": z, "constant": np.ones(500)}, 2 + 3 * x - z, 1e-9)
    assert (line.intercept, line.weights["x"], line.weights["z"]) == pytest.approx((2, 3, -1), abs=1e-6)
    assert line.weights["constant"] == pytest.approx(0, abs=1e-9)
    x[0] = np.nan
    assert line.predict({"x": x, "z": z, "constant": np.ones(500)})[0] == pytest.approx(2 + 3 * line.fills["x"] - z[0])


def test_the_engine_scores_as_numpy_does(spark: SparkSession) -> None:
    line = Linear(0.5, {"x": 2.0, "y": -1.0, "unused": 0.0}, {"x": 10.0, "y": 20.0, "unused": 0.0})
    rows = [(1.0, 2.0), (None, 2.0), (1.0, None)]
    told = [row.told for row in spark.createDataFrame(rows, "x double, y double").select(line.column().alias("told")).collect()]
    table = np.array([[np.nan if v is None else v for v in row] for row in rows])
    assert told == pytest.approx([0.5, 18.5, -17.5])
    assert told == pytest.approx(line.predict({"x": table[:, 0], "y": table[:, 1]}).tolist())


def test_storing_keeps_everything() -> None:
    lines = {("real", "refit"): Linear(1.0, {"x": 2.0}, {"x": 3.0}), ("synthetic", "refit"): alone("mean", 0.5)}
    assert from_arrow(to_arrow(lines)) == lines
