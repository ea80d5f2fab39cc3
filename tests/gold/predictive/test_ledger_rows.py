"""Metrics and diagnostics of the ledger become rows; models without any give none."""

from __future__ import annotations

import datetime as dt
import json
from typing import Any

import pytest
from pyspark.sql import DataFrame, SparkSession

from gold.predictive.model_diagnostics import model_diagnostics
from gold.predictive.model_performance_metrics import model_performance_metrics
from lakehouse.storage.ledger import MODELS
from models.common.evaluation import diagnostic
from models.common.metric import Metric
from tests.frames import collect


def ledger(spark: SparkSession, rows: list[dict[str, Any]]) -> DataFrame:
    schema = ", ".join(f"`{c.name}` {c.type}" for c in MODELS.columns)
    return spark.createDataFrame([tuple(row.get(c.name) for c in MODELS.columns) for row in rows], schema)


def model(
    name: str, metrics: list[dict[str, Any]], diagnostics: list[dict[str, Any]], *, is_current: bool = True
) -> dict[str, Any]:
    at = dt.datetime(2024, 1, 1, tzinfo=dt.timezone.utc)
    written = {"metrics": json.dumps(metrics), "diagnostics": json.dumps(diagnostics)}
    return {"model_id": f"{name}-1", "model": name, "kind": "regression", "created_at": at, "is_current": is_current, **written}


def test_rows_are_what_training_measured(spark: SparkSession) -> None:
    measured = Metric(
        "synthetic", "test", "rmse", value=0.5, n=7, low=0.4, high=0.6, baseline="last", skill=0.1, note='"quoted", too'
    ).row()
    curve = diagnostic("calibration", "real", [{"label": "a", "x": 0.1, "value": 0.2, "n": 3}, {"value": 0.3}])
    models = ledger(spark, [model("first", [measured], curve), model("second", [], [], is_current=False)])
    row, *others = collect("gold.model_performance_metrics", model_performance_metrics(models))
    assert others == []
    assert {name: row[name] for name in measured if name != "protocol"} == {
        name: value for name, value in measured.items() if name != "protocol"
    }
    assert (row["model_id"], row["model_name"], row["model_type"], row["is_current"]) == ("first-1", "first", "regression", True)
    rows = collect("gold.model_diagnostics", model_diagnostics(models))
    assert [(r["row"], r["label"], r["x"], r["value"], r["n"]) for r in rows] == [
        (0, "a", 0.1, 0.2, 3),
        (1, None, None, 0.3, None),
    ]


def test_populations_of_one_split_are_two_rows(spark: SparkSession) -> None:
    measured = [Metric("real", "all", "median", value=0.5, n=1).row(), Metric("synthetic", "all", "median", value=0.6, n=9).row()]
    rows = collect("gold.model_performance_metrics", model_performance_metrics(ledger(spark, [model("first", measured, [])])))
    assert sorted((r["population"], r["split"], r["value"]) for r in rows) == [("real", "all", 0.5), ("synthetic", "all", 0.6)]


@pytest.mark.parametrize(
    ("population", "written", "shown"),
    [
        ("real", "test", "test"),
        ("synthetic", "test_synthetic", "test"),
        ("synthetic", "validation_synthetic", "validation"),
        ("synthetic", "test_listens_synthetic", "test_listens"),
        ("real", "test, temporal, novel only, real", "test, temporal, novel only"),
        ("synthetic", "test, temporal, novel only, synthetic", "test, temporal, novel only"),
        ("catalogue", "test", "test"),
        ("synthetic", "resamples", "resamples"),
    ],
)
def test_models_of_an_older_version_are_shown_by_population_too(
    spark: SparkSession, population: str, written: str, shown: str
) -> None:
    """What training wrote before population was part of the key: some rows without the newer fields."""
    old = {"split": written, "population": population, "metric": "rmse", "value": 0.5, "n": 7}
    rows = collect("gold.model_performance_metrics", model_performance_metrics(ledger(spark, [model("first", [old], [])])))
    assert [(r["population"], r["split"], r["metric"], r["value"], r["note"]) for r in rows] == [
        (population, shown, "rmse", 0.5, None)
    ]


def test_no_models(spark: SparkSession) -> None:
    assert collect("gold.model_performance_metrics", model_performance_metrics(ledger(spark, []))) == []
