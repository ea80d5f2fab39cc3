"""Weekday and hour of a listener: amounts of all plays, features of known listens."""

from __future__ import annotations

import pytest
from pyspark.sql import SparkSession

from gold.descriptive.listening_patterns_by_time import listening_patterns_by_time
from tests.frames import play
from tests.gold.descriptive.plays import computed


def test_plays_count_all_and_features_only_known_listens(spark: SparkSession) -> None:
    rows = [
        play(1, "2024-01-06 22:05:00", valence=0.2, tempo=100.0),
        play(2, "2024-01-13 22:59:59", valence=0.4, tempo=None, feature_source="artist_mean", is_measured=False),
        play(3, "2024-01-06 22:10:00", valence=0.9, feature_source="synthetic", is_measured=False),
        play(4, "2024-01-06 22:15:00", valence=1.0, ms_played=30_000 - 1),
    ]
    (slot,) = computed(spark, listening_patterns_by_time, rows)
    assert (slot["day_of_week"], slot["day_name"], slot["hour_of_day"]) == (6, "Saturday", 22)
    assert (slot["part_of_day"], slot["is_weekend"]) == ("evening", True)
    assert (slot["play_count"], slot["listen_count"]) == (4, 3)
    assert slot["minutes"] == 569_999 / 60_000
    assert slot["avg_valence"] == pytest.approx(0.3)
    assert slot["avg_tempo"] == 100.0
    assert slot["measured_share"] == pytest.approx(1 / 3)


def test_a_slot_of_short_plays_has_no_figures_of_listens(spark: SparkSession) -> None:
    (slot,) = computed(spark, listening_patterns_by_time, [play(1, "2024-01-01 05:00:00", ms_played=1_000)])
    assert (slot["day_name"], slot["part_of_day"], slot["is_weekend"]) == ("Monday", "night", False)
    assert (slot["play_count"], slot["listen_count"]) == (1, 0)
    assert slot["avg_valence"] is None
    assert slot["measured_share"] is None


def test_hours_days_and_listeners_stay_apart(spark: SparkSession) -> None:
    rows = [
        play(1, "2024-01-01 05:59:59"),
        play(2, "2024-01-01 06:00:00"),
        play(3, "2024-01-07 06:00:00"),
        play(4, "2024-01-01 06:00:00", user_id="you"),
    ]
    slots = computed(spark, listening_patterns_by_time, rows)
    assert [(s["user_id"], s["day_of_week"], s["hour_of_day"], s["play_count"]) for s in slots] == [
        ("me", 1, 5, 1),
        ("me", 1, 6, 1),
        ("me", 7, 6, 1),
        ("you", 1, 6, 1),
    ]
