"""Metrics and diagnostics of the ledger become rows; models without any give none."""

from __future__ import annotations

import datetime as dt
import json
from typing import Any

from pyspark.sql import DataFrame, SparkSession

from gold.predictive.model_diagnostics import model_diagnostics
from gold.predictive.model_performance_metrics import model_performance_metrics
from lakehouse.storage.ledger import MODELS
from models.common.evaluation import diagnostic, metric
from tests.frames import collect


def ledger(spark: SparkSession, rows: list[dict[str, Any]]) -> DataFrame:
    schema = ", ".join(f"`{c.name}` {c.type}" for c in MODELS.columns)
    return spark.createDataFrame([tuple(row.get(c.name) for c in MODELS.columns) for row in rows], schema)


def model(
    name: str, metrics: list[dict[str, Any]], diagnostics: list[dict[str, Any]], *, is_current: bool = True
) -> dict[str, Any]:
    at = dt.datetime(2024, 1, 1, tzinfo=dt.timezone.utc)
    told = {"metrics": json.dumps(metrics), "diagnostics": json.dumps(diagnostics)}
    return {"model_id": f"{name}-1", "model": name, "kind": "regression", "created_at": at, "is_current": is_current, **told}


def test_rows_are_what_training_said(spark: SparkSession) -> None:
    told = metric(
        "test", "synthetic", "rmse", value=0.5, n=7, low=0.4, high=0.6, baseline="last", skill=0.1, note='"quoted", too'
    )
    curve = diagnostic("calibration", "real", [{"label": "a", "x": 0.1, "value": 0.2, "n": 3}, {"value": 0.3}])
    models = ledger(spark, [model("first", [told], curve), model("second", [], [], is_current=False)])
    row, *others = collect("gold.model_performance_metrics", model_performance_metrics(models))
    assert others == []
    assert {name: row[name] for name in told} == told
    assert (row["model_id"], row["model_name"], row["model_type"], row["is_current"]) == ("first-1", "first", "regression", True)
    rows = collect("gold.model_diagnostics", model_diagnostics(models))
    assert [(r["row"], r["label"], r["x"], r["value"], r["n"]) for r in rows] == [
        (0, "a", 0.1, 0.2, 3),
        (1, None, None, 0.3, None),
    ]


def test_populations_of_one_split_are_told_apart_in_the_key(spark: SparkSession) -> None:
    told = [
        metric("all", "real", "median", value=0.5, n=1),
        metric("all", "real", "median", value=0.6, n=9) | {"population": "synthetic"},
    ]
    rows = collect("gold.model_performance_metrics", model_performance_metrics(ledger(spark, [model("first", told, [])])))
    assert sorted((r["split"], r["population"], r["value"]) for r in rows) == [
        ("all", "real", 0.5),
        ("all_synthetic", "synthetic", 0.6),
    ]


def test_no_models(spark: SparkSession) -> None:
    assert collect("gold.model_performance_metrics", model_performance_metrics(ledger(spark, []))) == []
