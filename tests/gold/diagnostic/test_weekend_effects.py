"""Weekends against weekdays: a hand-worked contrast, days as observations of minutes, and who is tested at all."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from pyspark.sql import SparkSession

import silver.listening_with_features  # noqa: F401
from gold.diagnostic.weekend_effects import weekend_effects
from tests.frames import NINE_FEATURES, collect, frame, play

TABLE = "gold.weekend_effects"
MONDAY = dt.date(2024, 1, 1)


def run(spark: SparkSession, plays: list[dict[str, Any]]) -> dict[tuple[str, str], dict[str, Any]]:
    rows = collect(TABLE, weekend_effects(frame(spark, "silver.listening_with_features", plays)))
    return {(row["user_id"], row["feature_name"]): row for row in rows}


def weeks(weekend: list[float], weekday: list[float], user: str = "me", **changes: Any) -> list[dict[str, Any]]:
    """One listen a date, a Saturday or a Monday a week, with these valences."""
    dates = [(MONDAY + dt.timedelta(days=7 * week + 5), v) for week, v in enumerate(weekend)]
    dates += [(MONDAY + dt.timedelta(days=7 * week), v) for week, v in enumerate(weekday)]
    return [
        play(i, f"{date} 10:00:00", play_id=f"{user}{i}", user_id=user, valence=v, **changes) for i, (date, v) in enumerate(dates)
    ]


SATURDAYS, MONDAYS = [0.6, 0.7, 0.8, 0.9, 0.5], [0.3, 0.4, 0.5, 0.6, 0.2]


def test_contrast_by_hand(spark: SparkSession) -> None:
    """Means 0.7 and 0.4; each side's squares 0.10 over five dates: variance 5 / 4 * 0.10 / 25 = 0.005, error 0.1, t = 3.

    With 4 degrees of freedom p = 0.039942, half interval 0.27764; pooled deviation sqrt(0.10 / 4) = 0.158114, d = 1.897367.
    """
    row = run(spark, weeks(SATURDAYS, MONDAYS))["me", "valence"]
    assert (row["weekend_mean"], row["weekday_mean"]) == (pytest.approx(0.7), pytest.approx(0.4))
    assert row["difference"] == pytest.approx(0.3)
    assert row["difference_low"] == pytest.approx(0.02236, abs=2e-4)
    assert row["difference_high"] == pytest.approx(0.57764, abs=2e-4)
    assert row["effect_size"] == pytest.approx(1.897367, abs=1e-6)
    assert row["p_value"] == pytest.approx(0.039942, rel=1e-4)
    assert row["p_corrected"] == pytest.approx(0.039942, rel=1e-4), "every other measure is constant, so this is the only test"
    assert row["is_significant"] is True
    assert [row[name] for name in ("n_weekend", "n_weekday", "days_weekend", "days_weekday")] == [5, 5, 5, 5]


def test_all_measures_are_there_and_constant_ones_have_no_effect(spark: SparkSession) -> None:
    got = run(spark, weeks(SATURDAYS, MONDAYS))
    measures = {*NINE_FEATURES, "skip_rate", "minutes_per_active_day"}
    assert {name for _, name in got} == measures
    for name in measures - {"valence"}:
        row = got["me", name]
        assert (row["difference"], row["effect_size"], row["p_value"], row["is_significant"]) == (0.0, None, None, False)
    assert (got["me", "energy"]["measured_share"], got["me", "skip_rate"]["measured_share"]) == (1.0, None)


def test_minutes_are_observed_by_date_and_skips_by_play(spark: SparkSession) -> None:
    """A Saturday with three plays of 1, 2 and 3 minutes, one skipped, is one observation of 6 minutes."""
    saturday = [play(i, "2024-01-06 10:00:00", ms_played=i * 60_000, is_skip=i == 1) for i in (1, 2, 3)]
    silent = play(4, "2024-01-07 10:00:00", ms_played=None)
    monday = [play(5, "2024-01-08 10:00:00", ms_played=120_000), play(6, "2024-01-09 10:00:00", ms_played=240_000)]
    got = run(spark, [*saturday, silent, *monday])
    minutes, skips = got["me", "minutes_per_active_day"], got["me", "skip_rate"]
    assert (minutes["weekend_mean"], minutes["weekday_mean"]) == (pytest.approx(6.0), pytest.approx(3.0))
    assert (minutes["n_weekend"], minutes["n_weekday"]) == (1, 2)
    assert (skips["weekend_mean"], skips["weekday_mean"], skips["n_weekend"]) == (0.25, 0.0, 4)
    assert minutes["difference_low"] is None


def test_listener_of_one_period_has_no_rows_and_listeners_are_apart(spark: SparkSession) -> None:
    mine, other = weeks(SATURDAYS, MONDAYS), weeks([0.1, 0.9], [], "other")
    got = run(spark, [*other, *reversed(mine)])
    assert {user for user, _ in got} == {"me"}
    alone = run(spark, mine)
    assert len(alone) == 11
    for key, row in alone.items():
        for name in ("weekend_mean", "difference", "difference_high", "effect_size", "p_value", "p_corrected"):
            assert got[key][name] == (None if row[name] is None else pytest.approx(row[name], rel=1e-9))


def test_synthetic_features_are_not_compared(spark: SparkSession) -> None:
    got = run(spark, weeks(SATURDAYS, MONDAYS, feature_source="synthetic", is_measured=False))
    assert {name for _, name in got} == {"skip_rate", "minutes_per_active_day"}
