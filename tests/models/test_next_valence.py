"""The next listen's valence: planted moods are found, noise is not, and no row is predicted by a fit that has seen it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession

import silver.listening_with_features
import silver.users  # noqa: F401
from gold.predictive.mood_predictions import mood_predictions
from lakehouse.declare import Fitted, Model
from lakehouse.storage.artifacts import store
from models.valence.next_valence import next_valence
from tests.frames import collect, play
from tests.models.listens import listening, moody_plays, users

TABLE = "gold.mood_predictions"


def fit(spark: SparkSession, plays: list[dict[str, Any]]) -> Fitted:
    return next_valence(listening(spark, plays), users(spark, plays))


def predicted(spark: SparkSession, folder: Path, fitted: Fitted, plays: list[dict[str, Any]]) -> list[dict[str, Any]]:
    store(fitted, folder)
    model = Model("next_valence-1", "next_valence", folder, spark)
    return collect(TABLE, mood_predictions(listening(spark, plays), users(spark, plays), model))


@pytest.fixture(scope="module")
def moody() -> list[dict[str, Any]]:
    return moody_plays(150)


@pytest.fixture(scope="module")
def fitted(spark: SparkSession, moody: list[dict[str, Any]]) -> Fitted:
    return fit(spark, moody)


def metrics(fitted: Fitted) -> dict[tuple[str, str], dict[str, Any]]:
    return {(row["split"], row["metric"]): dict(row) for row in fitted.metrics}


def test_moods_of_sessions_are_found(fitted: Fitted) -> None:
    assert fitted.parameters["real"]["published"] == "ridge regression"
    row = metrics(fitted)["test", "rmse"]
    assert row["skill_low"] > 0.1, "a session's mood lasts, and the weighted mean drags in the session before"
    assert row["baseline"] in ("last listen", "exponentially weighted mean")
    assert 0.9 <= metrics(fitted)["test", "coverage of the 95% interval"]["value"] <= 1
    assert {name for split, name in metrics(fitted) if split == "test" and name.startswith("mae: ")} == {
        f"mae: {name}" for name in ("listener's mean", "mean by hour of week", "last listen", "exponentially weighted mean")
    }


def test_what_does_not_beat_its_baseline_is_published_as_the_baseline(spark: SparkSession, tmp_path: Path) -> None:
    noise = moody_plays(150, moody=False, seed=5)
    fitted = fit(spark, noise)
    assert fitted.parameters["real"]["published"] != "ridge regression"
    row = metrics(fitted)["test", "rmse"]
    assert row["skill_low"] < 0.02, "noise has no structure to find"
    assert "published as its baseline" in row["note"]
    rows = predicted(spark, tmp_path / "m", fitted, noise)
    assert [r["predicted_valence"] for r in rows] == pytest.approx([r["baseline_valence"] for r in rows])
    assert len(rows) > 100


def test_sad_mondays_are_learned(spark: SparkSession, tmp_path: Path) -> None:
    plays = moody_plays(250, moody=False, mondays=0.3)
    rows = predicted(spark, tmp_path / "m", fit(spark, plays), plays)
    mean = {
        is_monday: [r["predicted_valence"] for r in rows if (r["day_of_week"] == 1) is is_monday] for is_monday in (True, False)
    }
    assert sum(mean[True]) / len(mean[True]) < sum(mean[False]) / len(mean[False]) - 0.05


def test_synthetic_listeners_change_nothing_for_real_ones(
    spark: SparkSession, moody: list[dict[str, Any]], fitted: Fitted
) -> None:
    both = fit(spark, [*moody_plays(100, "synthetic:000001", 9), *moody][::-1])
    real = [row for row in both.metrics if row["population"] == "real"]
    assert real == [row for row in fitted.metrics if row["population"] == "real"]
    assert {row["split"] for row in both.metrics if row["population"] == "synthetic"} == {"validation", "test"}
    own = [[r for r in f.frames["coefficients"].to_pylist() if r["population"] == "real"] for f in (fitted, both)]
    assert own[0] == own[1]


def test_no_listen_is_predicted_by_a_fit_that_has_seen_it(
    spark: SparkSession, tmp_path: Path, moody: list[dict[str, Any]], fitted: Fitted
) -> None:
    later = moody_plays(160)
    rows = predicted(spark, tmp_path / "m", fitted, later)
    trained_until = max(row["played_at"] for row in moody).replace(tzinfo=None)
    assert {row["fit"] for row in rows if row["played_at"] <= trained_until} == {"evaluation"}
    assert {row["fit"] for row in rows if row["played_at"] > trained_until} == {"refit"}
    start = min(row["played_at"] for row in later).replace(tzinfo=None)
    assert all(row["played_at"] >= start + 0.8 * (trained_until - start) for row in rows)
    assert all(row["low"] <= row["predicted_valence"] <= row["high"] for row in rows)


@pytest.mark.parametrize("count", [0, 1, 3])
def test_little_or_nothing_to_learn_from(spark: SparkSession, tmp_path: Path, count: int) -> None:
    plays = [play(i, f"2024-01-0{i + 1} 10:00:00", valence=0.5) for i in range(count)]
    fitted = fit(spark, plays)
    assert fitted.metrics == []
    assert fitted.parameters["real"]["published"] == "exponentially weighted mean"
    rows = predicted(spark, tmp_path / "m", fitted, plays)
    assert [(row["low"], row["published"]) for row in rows] == [(None, "exponentially weighted mean")] * max(count - 2, 0)
