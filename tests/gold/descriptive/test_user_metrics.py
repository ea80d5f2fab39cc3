"""One row a listener: amounts, recency, variety and concentration."""

from __future__ import annotations

import datetime as dt

import pytest
from pyspark.sql import SparkSession

from gold.descriptive.user_metrics import user_metrics
from tests.frames import play
from tests.gold.descriptive.plays import computed


def test_spread_over_artists(spark: SparkSession) -> None:
    artists = ["a1"] * 5 + ["a2"] * 2 + ["a3"] + [None] * 2
    rows = [play(n, f"2024-01-06 10:{n:02d}:00", artist_key=a, track_id=f"t{a}") for n, a in enumerate(artists)]
    rows.append(play(50, "2024-01-08 10:00:00", artist_key="a4", track_id="t4", album_key=None, ms_played=6_000, is_skip=True))
    (row,) = computed(spark, user_metrics, rows)
    assert (row["plays"], row["listens"], row["unique_tracks"], row["unique_artists"], row["unique_albums"]) == (11, 10, 4, 3, 1)
    assert (row["minutes"], row["hours"], row["minutes_per_active_day"]) == pytest.approx((30.1, 30.1 / 60, 15.05))
    assert row["top_artist_share"] == 0.5
    assert row["artist_gini"] == pytest.approx(1 / 3)
    assert row["artist_entropy"] == pytest.approx(1.2987949407)
    assert row["effective_artists"] == pytest.approx(2.460233)
    assert row["skips_told"] == 11
    assert (row["skip_rate"], row["short_rate"], row["weekend_share"]) == pytest.approx((1 / 11, 1 / 11, 1.0))
    assert row["median_track_plays"] == 2.0
    assert (row["sessions"], row["plays_per_session"], row["active_days"], row["longest_streak_days"]) == (2, 5.5, 2, 1)
    assert row["as_of"] == dt.datetime(2024, 1, 9)


def test_recent_days_are_whole_and_end_with_the_last_one(spark: SparkSession) -> None:
    days = ["2024-12-30", "2024-12-01", "2024-11-30", "2024-10-02", "2024-10-01", "2024-01-01", "2023-12-31"]
    rows = [play(n, f"{day} 00:00:00") for n, day in enumerate(days)]
    rows.append(play(9, "2025-06-01 10:00:00", user_id="you"))
    me, you = computed(spark, user_metrics, rows)
    assert [me[f"listens_last_{n}_days"] for n in (30, 90, 365)] == [2, 4, 6]
    assert [you[f"listens_last_{n}_days"] for n in (30, 90, 365)] == [1, 1, 1]


def test_features_of_known_listens_only(spark: SparkSession) -> None:
    rows = [
        play(1, "2024-01-01 10:00:00", valence=0.2, energy=0.6),
        play(2, "2024-01-01 10:10:00", valence=0.4, energy=0.8, feature_source="artist_mean", is_measured=False),
        play(3, "2024-01-02 10:00:00", valence=1.0, feature_source="synthetic", is_measured=False),
        play(4, "2024-01-03 10:00:00", valence=1.0, ms_played=0),
    ]
    (row,) = computed(spark, user_metrics, rows)
    assert (row["avg_valence"], row["avg_energy"], row["measured_share"]) == pytest.approx((0.3, 0.7, 1 / 3))
    assert (row["known_listens"], row["longest_streak_days"]) == (2, 2)


def test_a_single_artist_and_a_listener_without_listens(spark: SparkSession) -> None:
    rows = [play(1, "2024-01-01 10:00:00"), play(2, "2024-01-01 10:00:00", user_id="you", ms_played=1)]
    me, you = computed(spark, user_metrics, rows)
    assert (me["artist_gini"], me["artist_entropy"], me["effective_artists"], me["top_artist_share"]) == (0.0, 0.0, 1.0, 1.0)
    for name in ("artist_gini", "artist_entropy", "effective_artists", "top_artist_share", "weekend_share", "avg_valence"):
        assert you[name] is None, name
    assert (you["plays"], you["listens"], you["longest_streak_days"]) == (1, 0, 0)


def test_skips_are_a_share_of_the_plays_that_tell(spark: SparkSession) -> None:
    rows = [play(n, f"2024-01-06 10:0{n}:00", tells_skip=n != 3, is_skip=n == 1) for n in (1, 2, 3)]
    (row,) = computed(spark, user_metrics, rows)
    assert (row["plays"], row["skips_told"], row["skip_rate"]) == (3, 2, 0.5)
