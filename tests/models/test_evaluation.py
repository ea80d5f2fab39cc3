"""Splits, skill, bootstrap and metric rows, by hand."""

from __future__ import annotations

import datetime as dt
import json
import math

import numpy as np
import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from models.common import evaluation
from models.common.evaluation import (
    bootstrap,
    cluster_sums,
    coverage_metric,
    diagnostic,
    elapsed_share,
    estimates,
    loss_metrics,
    metric,
    regression_metrics,
    skill,
    splits_of,
)


def test_splits_follow_time_and_share_nothing() -> None:
    split = splits_of(np.array([0.0, 0.59, 0.6, 0.79, 0.8, 1.0]))
    assert {part: members.tolist() for part, members in split.items()} == {
        "train": [True, True, False, False, False, False],
        "validation": [False, False, True, True, False, False],
        "test": [False, False, False, False, True, True],
    }


def test_elapsed_share_of_a_listeners_time(spark: SparkSession) -> None:
    first, last = dt.datetime(2024, 1, 1), dt.datetime(2024, 1, 11)
    rows = [(first, first, last), (dt.datetime(2024, 1, 9), first, last), (last, first, last), (first, first, first)]
    frame = spark.createDataFrame(rows, "at timestamp, first timestamp, last timestamp")
    told = frame.select(elapsed_share(F.col("at"), F.col("first"), F.col("last")).alias("share")).collect()
    assert [row.share for row in told] == [0.0, 0.8, 1.0, 0.0], "one moment is no time to test on"


def test_skill_by_hand() -> None:
    assert skill(np.array(0.8), np.array(1.0)) == pytest.approx(0.2)
    assert skill(np.array(1.2), np.array(1.0)) == pytest.approx(-0.2)
    assert math.isnan(skill(np.array(0.0), np.array(0.0)))


def test_sums_of_clusters_do_not_depend_on_the_order_of_rows() -> None:
    clusters, values = ["b", "a", "b", "c"], [1.0, 2.0, 3.0, 4.0]
    assert cluster_sums(clusters, [values, [1, 1, 1, 1]]).tolist() == [[2, 1], [4, 2], [4, 1]]
    assert cluster_sums(clusters[::-1], [values[::-1], [1] * 4]).tolist() == [[2, 1], [4, 2], [4, 1]]


def test_bootstrap_draws_whole_clusters() -> None:
    """Two sessions, all 0 and all 1: a mean is 0, 0.5 or 1, so its interval is all of it, however many listens they have."""

    def mean(sums: np.ndarray) -> np.ndarray:
        return sums[..., 1] / sums[..., 0]

    assert bootstrap(np.array([[500.0, 0.0], [500.0, 500.0]]), mean).tolist() == [0.0, 1.0]
    assert bootstrap(np.array([[5.0, 2.0], [5.0, 2.0], [5.0, 2.0]]), mean) == pytest.approx([0.4, 0.4])
    assert np.isnan(bootstrap(np.array([[5.0, 2.0]]), mean)).all(), "one session tells nothing of others"


def test_bootstrap_interval_is_as_wide_as_theory_says() -> None:
    values = np.random.default_rng(3).normal(size=400)
    found = estimates(np.column_stack([np.ones(400), values]), {"mean": lambda s: s[..., 1] / s[..., 0]})["mean"]
    assert found["value"] == pytest.approx(values.mean())
    assert found["low"] is not None
    assert found["high"] is not None
    assert found["high"] - found["low"] == pytest.approx(2 * 1.96 * values.std() / 20, rel=0.1)


def test_regression_metrics_by_hand() -> None:
    """Errors 0 0 1 0: rmse 0.5, mae 0.25; actual 0 1 0 1 spreads by 1, so r2 = 1 - 1 / 1. The mean errs by 0.5 everywhere."""
    actual, predicted = np.array([0.0, 1.0, 0.0, 1.0]), np.array([0.0, 1.0, 1.0, 1.0])
    rows = regression_metrics("test", "real", actual, predicted, {"mean": np.full(4, 0.5)}, "mean", ["a", "a", "b", "b"])
    found = {row["metric"]: row for row in rows}
    assert (found["rmse"]["value"], found["mae"]["value"], found["r2"]["value"]) == (0.5, 0.25, 0.0)
    assert (found["rmse: mean"]["value"], found["mae: mean"]["value"]) == (0.5, 0.5)
    assert (found["rmse"]["baseline"], found["rmse"]["baseline_value"], found["rmse"]["skill"]) == ("mean", 0.5, 0.0)
    assert (found["mae"]["skill"], found["mae"]["n"]) == (0.5, 4)
    assert regression_metrics("test", "real", np.array([]), np.array([]), {"mean": np.array([])}, "mean", []) == []


def test_loss_and_coverage_by_hand() -> None:
    losses = {"": np.array([1.0, 2.0]), ": naive": np.array([2.0, 4.0])}
    own, naive = loss_metrics("test", "real", "pinball loss", losses, ": naive", ["a", "b"], None)
    assert (own["metric"], own["value"], own["baseline"], own["skill"]) == ("pinball loss", 1.5, "naive", 0.5)
    assert (naive["metric"], naive["value"], naive["skill"]) == ("pinball loss: naive", 3.0, None)
    row = coverage_metric("test", "real", "coverage", np.array([True, True, False, True]), ["a", "a", "b", "c"])[0]
    assert (row["value"], row["n"]) == (0.75, 4)
    assert coverage_metric("test", "real", "coverage", np.array([], dtype=bool), []) == []


def test_rows_can_be_kept_as_json_and_keep_populations_apart() -> None:
    row = metric("test", evaluation.SYNTHETIC, "rmse", value=math.nan, n=3, low=math.inf)
    assert (row["split"], row["value"], row["low"]) == ("test_synthetic", None, None)
    assert metric("test", evaluation.REAL, "rmse", value=1.0, n=3)["split"] == "test"
    json.dumps([row, *diagnostic("importance", "real", [{"value": math.nan, "label": "x"}])], allow_nan=False)
    assert [r["row"] for r in diagnostic("elbow", "real", [{"value": 1.0}, {"value": 2.0}], 5)] == [5, 6]
    with pytest.raises(ValueError, match="a metric has no skil"):
        metric("test", "real", "rmse", value=1.0, n=3, skil=0.5)
