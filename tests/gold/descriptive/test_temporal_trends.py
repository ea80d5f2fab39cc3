"""Days of a listener: trailing weeks are calendar days, silent ones as 0."""

from __future__ import annotations

import pytest
from pyspark.sql import SparkSession

from gold.descriptive.temporal_trends import temporal_trends
from tests.frames import play
from tests.gold.descriptive.plays import computed


def test_trailing_means_are_over_calendar_days(spark: SparkSession) -> None:
    rows = [
        play(1, "2024-01-01 10:00:00", valence=0.1),
        play(2, "2024-01-01 11:00:00", valence=0.3),
        play(3, "2024-01-03 10:00:00", valence=0.8),
        play(4, "2024-01-08 10:00:00", valence=0.6),
        play(5, "2024-01-13 10:00:00", valence=0.9, feature_source="synthetic", is_measured=False),
    ]
    days = computed(spark, temporal_trends, rows)
    assert [d["plays_7_day_mean"] for d in days] == pytest.approx([2.0, 1.0, 2 / 7, 2 / 7])
    assert [d["valence_7_day_mean"] for d in days] == pytest.approx([0.2, 0.4, 0.7, 0.6])
    assert [d["plays_change_from_week_ago"] for d in days] == [None, None, -1, 1]
    assert [d["valence_change_from_week_ago"] for d in days] == [None, None, pytest.approx(0.4), None]
    assert [d["weekend_plays"] for d in days] == [0, 0, 0, 1]
    assert [d["known_listens"] for d in days] == [2, 1, 1, 0]
    assert [d["avg_valence"] for d in days] == [pytest.approx(0.2), 0.8, 0.6, None]
    assert [d["measured_share"] for d in days] == [1.0, 1.0, 1.0, 0.0]


def test_an_empty_same_weekday_counts_as_none_played(spark: SparkSession) -> None:
    rows = [play(1, "2024-01-01 10:00:00"), play(2, "2024-01-09 10:00:00"), play(3, "2024-01-09 11:00:00")]
    days = computed(spark, temporal_trends, rows)
    assert [d["plays_change_from_week_ago"] for d in days] == [None, 2]


def test_a_mean_of_zeros_after_larger_values_is_zero(spark: SparkSession) -> None:
    rows = [play(n, f"2024-01-{n:02d} 10:00:00", valence=0.0 if n > 3 else 0.1 * n) for n in range(1, 12)]
    days = computed(spark, temporal_trends, rows)
    assert days[-1]["valence_7_day_mean"] == 0.0


def test_a_day_of_short_plays_and_another_listener(spark: SparkSession) -> None:
    rows = [play(1, "2024-01-01 10:00:00", ms_played=3_000), play(2, "2024-01-02 10:00:00", user_id="you")]
    mine, yours = computed(spark, temporal_trends, rows)
    assert (mine["total_plays"], mine["listen_count"], mine["minutes"]) == (1, 0, 0.05)
    assert mine["avg_valence"] is None
    assert mine["valence_7_day_mean"] is None
    assert (yours["plays_7_day_mean"], yours["valence_7_day_mean"]) == (1.0, 0.5)
