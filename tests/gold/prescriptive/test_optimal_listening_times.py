"""Hours of a listener: hand-computed intervals, an hour that differs, hours that do not."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from pyspark.sql import SparkSession

import silver.listening_with_features  # noqa: F401
from gold.prescriptive.mood.optimal_listening_times import optimal_listening_times
from tests.frames import collect, frame, play

TABLE = "gold.optimal_listening_times"


def hours(spark: SparkSession, plays: list[dict[str, Any]]) -> dict[int, dict[str, Any]]:
    rows = collect(TABLE, optimal_listening_times(frame(spark, "silver.listening_with_features", plays)))
    return {row["hour_of_day"]: row for row in rows}


def daily(hour: int, valences: list[float], **changes: Any) -> list[dict[str, Any]]:
    return [
        play(100 * hour + day, f"2024-01-{day:02d} {hour:02d}:00:00", valence=value, **changes)
        for day, value in enumerate(valences, start=1)
    ]


def test_the_figures_of_an_hour(spark: SparkSession) -> None:
    skips = [play(900 + day, f"2024-01-{day:02d} 08:30:00", ms_played=5_000, is_skip=True, valence=0.1) for day in (1, 2)]
    found = hours(spark, [*daily(8, [0.2, 0.4, 0.6, 0.8, 0.5]), *daily(20, [0.5] * 5, energy=0.7), *skips])
    eight = found[8]
    assert eight["avg_valence"] == pytest.approx(0.5)
    # Standard deviation .2236 over 5 dates: .1 either side, times Student's t with 4 degrees of freedom (2.776).
    assert (eight["avg_valence_low"], eight["avg_valence_high"]) == pytest.approx((0.2224, 0.7776), abs=2e-4)
    assert (eight["plays"], eight["listens"], eight["n"], eight["days"]) == (7, 5, 5, 5)
    assert eight["skip_rate"] == pytest.approx(2 / 7)
    assert eight["minutes"] == pytest.approx(15 + 10 / 60)
    assert eight["share_of_minutes"] == pytest.approx((15 + 10 / 60) / (30 + 10 / 60))
    assert eight["usual_energy"] == pytest.approx(0.7)
    assert {row["mood_state"] for row in found.values()} == {"Neutral"}
    assert {row["valence_against_usual"] for row in found.values()} == {"as usual"}
    assert [row["predicted_valence"] for row in found.values()] == pytest.approx([0.5, 0.5])


def test_an_expected_valence_is_the_mean_drawn_to_the_listener_s(spark: SparkSession) -> None:
    rng = np.random.default_rng(3)
    values = {
        hour: [float(rng.normal(mean, 0.1)) for _ in range(20)] for hour, mean in ((7, 0.35), (12, 0.5), (18, 0.55), (22, 0.6))
    }
    found = hours(spark, [row for hour, valences in values.items() for row in daily(hour, valences)])
    mean = np.array([np.mean(v) for v in values.values()])
    error2 = np.array([np.var(v, ddof=1) / 20 for v in values.values()])
    weight, distance = 1 / error2, mean - mean.mean()
    q = np.sum(weight * distance**2) - np.sum(weight * distance) ** 2 / weight.sum()
    between = max(0.0, (q - 3) / (weight.sum() - np.sum(weight**2) / weight.sum()))
    expected = mean.mean() + between / (between + error2) * distance
    assert [found[hour]["predicted_valence"] for hour in values] == pytest.approx(list(expected))
    assert [found[hour]["suitability_rank"] for hour in (22, 18, 12, 7)] == [1, 2, 3, 4]
    assert found[7]["valence_against_usual"] == "lower"
    assert found[7]["recommended_activity"].startswith("Quiet thoughts: more subdued than your other hours (valence 0.3")
    assert "Mood Lift" in found[7]["wellbeing_tip"]


def test_hours_that_differ_by_chance_only_are_as_usual(spark: SparkSession) -> None:
    rng = np.random.default_rng(11)
    plays = [row for hour in range(24) for row in daily(hour, [float(rng.random()) for _ in range(25)])]
    for row in plays:
        row["energy"] = float(rng.random())
    found = hours(spark, plays)
    assert {row[f"{name}_against_usual"] for row in found.values() for name in ("valence", "energy", "skip_rate")} == {"as usual"}
    spread = [row["predicted_valence"] for row in found.values()]
    assert max(spread) - min(spread) < 0.5 * (
        max(r["avg_valence"] for r in found.values()) - min(r["avg_valence"] for r in found.values())
    )


def test_one_play_unknown_features_and_nothing(spark: SparkSession) -> None:
    [one] = hours(spark, [play(1, "2024-01-01 10:00:00", valence=0.3)]).values()
    assert (one["avg_valence"], one["avg_valence_low"], one["predicted_valence"], one["n"]) == (0.3, None, 0.3, 1)
    assert one["recommended_activity"] == "Whatever you like: this hour is like your others"
    [unknown] = hours(spark, [play(1, "2024-01-01 10:00:00", feature_source="synthetic", is_measured=False)]).values()
    assert (unknown["avg_valence"], unknown["predicted_valence"], unknown["suitability_rank"], unknown["n"]) == (
        None,
        None,
        None,
        0,
    )
    assert unknown["recommended_activity"] == "Nothing is known of how this hour sounds"
    assert hours(spark, []) == {}


def test_an_hour_of_an_unknown_time_zone_is_told_in_utc_and_recommended_for_nothing(spark: SparkSession) -> None:
    plays = [*daily(7, [0.1, 0.2] * 10), *daily(20, [0.8, 0.8, 0.9, 0.9] * 5)]
    known, unknown = (hours(spark, [row | {"lacks_timezone": lacks} for row in plays]) for lacks in (False, True))
    words = ("recommended_activity", "wellbeing_tip")
    for hour in (7, 20):
        told = {name: value for name, value in known[hour].items() if name not in words}
        assert {name: unknown[hour][name] for name in told} == {
            name: pytest.approx(value, rel=1e-9) if isinstance(value, float) else value for name, value in told.items()
        }
    assert known[20]["wellbeing_tip"] == "Your music is at its brighter at 20:00: a good hour to enjoy it."
    assert unknown[7]["recommended_activity"] == "07:00 UTC: more subdued than your other hours (valence 0.15 against 0.85)"
    assert {row["wellbeing_tip"] for row in unknown.values()} == {"The time zone is unknown, so no hour can be recommended."}
