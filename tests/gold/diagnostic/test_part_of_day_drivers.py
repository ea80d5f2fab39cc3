"""Parts of day against a listener's others: figures by hand, ranks, and the correction."""

from __future__ import annotations

from typing import Any

import pytest
from pyspark.sql import SparkSession

import silver.listening_with_features  # noqa: F401
from gold.diagnostic.part_of_day_drivers import part_of_day_drivers
from tests.frames import NINE_FEATURES, collect, frame, play

TABLE = "gold.part_of_day_drivers"
Drivers = dict[tuple[str, str, str], dict[str, Any]]


def run(spark: SparkSession, plays: list[dict[str, Any]]) -> Drivers:
    rows = collect(TABLE, part_of_day_drivers(frame(spark, "silver.listening_with_features", plays)))
    return {(row["user_id"], row["part_of_day"], row["feature_name"]): row for row in rows}


def history(user: str = "me") -> list[dict[str, Any]]:
    """Six dates: mornings slow and loud-ish, evenings fast; valence differs less than tempo, the other features not at all."""
    spread = (-2.0, -1.0, 0.0, 0.0, 1.0, 2.0)
    rows = []
    for day, step in enumerate(spread, start=1):
        at = f"2024-01-{day:02d}"
        rows.append(play(day, f"{at} 07:00:00", user_id=user, tempo=100 + step, valence=0.5 + step / 20))
        rows.append(play(day + 10, f"{at} 19:00:00", user_id=user, tempo=120 - step, valence=0.55 - step / 20))
    rows.append(play(30, "2024-01-06 07:30:00", user_id=user, tempo=300.0, ms_played=10_000))
    return rows


def test_figures_of_a_part_of_day(spark: SparkSession) -> None:
    """Tempo: squares 4 + 1 + 0 + 0 + 1 + 4 = 10 a side, deviation sqrt(10 / 5) = 1.414214, difference -20, d = -14.142136.

    A date moves the mornings by step / 6 and the evenings by -step / 6, so the difference by step / 3 in all: error
    sqrt(6 / 5 * 10 / 9) = 1.154701, t(5) = -17.32, half interval 2.5706 * 1.154701 = 2.968.
    """
    row = run(spark, history())["me", "morning", "tempo"]
    assert (row["total_plays"], row["listens"], row["n"], row["days"], row["rest_n"], row["rest_days"]) == (7, 6, 6, 6, 6, 6)
    assert (row["mean"], row["rest_mean"]) == (pytest.approx(100.0), pytest.approx(120.0))
    assert row["stddev"] == pytest.approx(1.414214, abs=1e-6)
    assert row["effect_size"] == pytest.approx(-14.142136, abs=1e-5)
    assert row["difference_low"] == pytest.approx(-22.968, abs=2e-3)
    assert row["difference_high"] == pytest.approx(-17.032, abs=2e-3)
    assert (row["direction"], row["driver_rank"], row["is_significant"]) == ("lower", 1, True)


def test_ranks_directions_and_correction(spark: SparkSession) -> None:
    got = run(spark, history())
    assert set(got) == {("me", part, feature) for part in ("morning", "evening") for feature in NINE_FEATURES}
    tempo, valence, energy = (got["me", "evening", name] for name in ("tempo", "valence", "energy"))
    assert (tempo["direction"], tempo["driver_rank"]) == ("higher", 1)
    assert (valence["direction"], valence["driver_rank"], valence["is_significant"]) == ("higher", 2, False)
    assert (energy["direction"], energy["driver_rank"], energy["effect_size"], energy["p_value"]) == (None, None, None, None)
    assert tempo["p_corrected"] == pytest.approx(4 * tempo["p_value"]), "two features in two parts of the day could be tested"
    assert valence["p_corrected"] == pytest.approx(min(1.0, 2 * valence["p_value"]))


def test_one_part_of_day_or_one_date_has_no_intervals(spark: SparkSession) -> None:
    alone = run(spark, [play(1, "2024-01-01 02:00:00", energy=0.3)])["me", "night", "energy"]
    assert (alone["mean"], alone["n"], alone["rest_n"], alone["rest_mean"], alone["difference"]) == (0.3, 1, 0, None, None)
    assert (alone["stddev"], alone["p_value"], alone["is_significant"], alone["measured_share"]) == (None, None, False, 1.0)
    day = run(spark, [play(1, "2024-01-01 02:00:00", energy=0.3), play(2, "2024-01-01 12:00:00", energy=0.5)])
    assert day["me", "night", "energy"]["difference"] == pytest.approx(-0.2)
    assert day["me", "night", "energy"]["difference_low"] is None


def test_no_known_features(spark: SparkSession) -> None:
    rows = run(spark, [play(1, "2024-01-01 13:00:00", feature_source="synthetic", is_measured=False)])
    assert len(rows) == 9
    row = rows["me", "afternoon", "valence"]
    assert (row["total_plays"], row["n"], row["mean"], row["driver_rank"], row["measured_share"]) == (1, 0, None, None, 0.0)


def test_listeners_are_apart_and_order_is_free(spark: SparkSession) -> None:
    mixed = run(spark, [*history("other"), play(99, "2024-01-09 07:00:00", user_id="third", tempo=60.0), *reversed(history())])
    alone = run(spark, history())
    assert len(alone) == 18
    for key, row in alone.items():
        other = mixed["other", key[1], key[2]]
        for name in ("mean", "rest_mean", "difference", "effect_size", "p_value", "p_corrected", "driver_rank"):
            expected = None if row[name] is None else pytest.approx(row[name], rel=1e-9)
            assert (mixed[key][name], other[name]) == (expected, expected)
