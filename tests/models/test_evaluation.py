"""Skill, losses, metrics and diagnostics, by hand."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest

from models.common.evaluation import cluster_sums, coverage_metric, diagnostic, estimates, loss_metrics, regression_metrics, skill


def test_skill_by_hand() -> None:
    assert skill(np.array(0.8), np.array(1.0)) == pytest.approx(0.2)
    assert skill(np.array(1.2), np.array(1.0)) == pytest.approx(-0.2)
    assert math.isnan(skill(np.array(0.0), np.array(0.0)))


def test_sums_of_clusters_do_not_depend_on_the_order_of_rows() -> None:
    clusters, values = ["b", "a", "b", "c"], [1.0, 2.0, 3.0, 4.0]
    assert cluster_sums(clusters, [values, [1, 1, 1, 1]]).tolist() == [[2, 1], [4, 2], [4, 1]]
    assert cluster_sums(clusters[::-1], [values[::-1], [1] * 4]).tolist() == [[2, 1], [4, 2], [4, 1]]


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
    metrics = regression_metrics("test", "real", actual, predicted, {"mean": np.full(4, 0.5)}, "mean", ["a", "a", "b", "b"])
    by_name = {one.metric: one for one in metrics}
    assert (by_name["rmse"].value, by_name["mae"].value, by_name["r2"].value) == (0.5, 0.25, 0.0)
    assert (by_name["rmse: mean"].value, by_name["mae: mean"].value) == (0.5, 0.5)
    assert (by_name["rmse"].baseline, by_name["rmse"].baseline_value, by_name["rmse"].skill) == ("mean", 0.5, 0.0)
    assert (by_name["mae"].skill, by_name["mae"].n) == (0.5, 4)
    assert regression_metrics("test", "real", np.array([]), np.array([]), {"mean": np.array([])}, "mean", []) == []


def test_loss_and_coverage_by_hand() -> None:
    losses = {"": np.array([1.0, 2.0]), ": naive": np.array([2.0, 4.0])}
    own, naive = loss_metrics("test", "real", "pinball loss", losses, ": naive", ["a", "b"], None)
    assert (own.metric, own.value, own.baseline, own.skill) == ("pinball loss", 1.5, "naive", 0.5)
    assert (naive.metric, naive.value, naive.skill) == ("pinball loss: naive", 3.0, None)
    row = coverage_metric("test", "real", "coverage", np.array([True, True, False, True]), ["a", "a", "b", "c"])[0]
    assert (row.value, row.n) == (0.75, 4)
    assert coverage_metric("test", "real", "coverage", np.array([], dtype=bool), []) == []


def test_diagnostics_can_be_kept_as_json_and_are_numbered() -> None:
    json.dumps(diagnostic("importance", "real", [{"value": math.nan, "label": "x"}]), allow_nan=False)
    assert [r["row"] for r in diagnostic("elbow", "real", [{"value": 1.0}, {"value": 2.0}], 5)] == [5, 6]
