"""Volumes and features of weekends and weekdays, written out."""

from __future__ import annotations

from typing import Any

import pytest
from pyspark.sql import SparkSession

import silver.listening_with_features  # noqa: F401
from gold.diagnostic.weekend_vs_weekday import weekend_vs_weekday
from tests.frames import collect, frame, play

TABLE = "gold.weekend_vs_weekday"
FRIDAY, SATURDAY, SUNDAY = "2024-01-05", "2024-01-06", "2024-01-07"


def run(spark: SparkSession, plays: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return collect(TABLE, weekend_vs_weekday(frame(spark, "silver.listening_with_features", plays)))


def test_both_periods_by_hand(spark: SparkSession) -> None:
    """Weekend: three listens on two dates and a skipped 6 s play; valence 0.2, 0.6 and a made-up one. Weekday: one listen."""
    weekday, weekend = run(
        spark,
        [
            play(1, f"{SATURDAY} 10:00:00", valence=0.2, energy=0.4, tempo=100.0, ms_played=60_000),
            play(2, f"{SATURDAY} 11:00:00", valence=0.6, energy=0.8, tempo=None, ms_played=120_000),
            play(3, f"{SUNDAY} 10:00:00", valence=0.9, feature_source="synthetic", is_measured=False, ms_played=None),
            play(4, f"{SUNDAY} 11:00:00", valence=0.9, ms_played=6_000, is_skip=True),
            play(5, f"{FRIDAY} 23:59:59", valence=0.5, energy=0.5, danceability=0.7, acousticness=0.1),
        ],
    )
    assert weekend == {
        "user_id": "me",
        "period": "weekend",
        "total_plays": 4,
        "listen_count": 3,
        "minutes": pytest.approx(3.1),
        "days": 2,
        "listens_per_active_day": 1.5,
        "avg_valence": pytest.approx(0.4),
        "avg_energy": pytest.approx(0.6),
        "avg_danceability": pytest.approx(0.5),
        "avg_tempo": pytest.approx(100.0),
        "avg_acousticness": pytest.approx(0.5),
        "valence_variance": pytest.approx(0.08),
        "energy_variance": pytest.approx(0.08),
        "skip_rate": 0.25,
        "known_listens": 2,
        "measured_share": pytest.approx(2 / 3),
    }
    assert (weekday["period"], weekday["total_plays"], weekday["days"], weekday["minutes"]) == ("weekday", 1, 1, 3.0)
    assert (weekday["avg_danceability"], weekday["avg_acousticness"], weekday["valence_variance"]) == (0.7, 0.1, None)


def test_period_without_listens_has_volumes_only(spark: SparkSession) -> None:
    (row,) = run(spark, [play(1, f"{SUNDAY} 10:00:00", ms_played=5_000)])
    assert (row["total_plays"], row["listen_count"], row["days"], row["listens_per_active_day"]) == (1, 0, 0, None)
    assert (row["avg_valence"], row["measured_share"], row["known_listens"]) == (None, None, 0)


def test_listeners_are_apart_and_counts_add_up(spark: SparkSession) -> None:
    mine = [play(number, f"2024-01-{number:02d} 10:00:00") for number in range(1, 11)]
    other = [play(11, f"{SATURDAY} 10:00:00", user_id="other", valence=0.9)]
    rows = run(spark, [*other, *reversed(mine)])
    assert [row for row in rows if row["user_id"] == "me"] == run(spark, mine)
    assert {(r["user_id"], r["period"]): r["total_plays"] for r in rows} == {
        ("me", "weekday"): 8,
        ("me", "weekend"): 2,
        ("other", "weekend"): 1,
    }
