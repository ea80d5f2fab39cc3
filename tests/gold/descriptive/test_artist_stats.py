"""A listener and an artist: amounts, loyalty, trend."""

from __future__ import annotations

import datetime as dt

import pytest
from pyspark.sql import SparkSession

from gold.descriptive.artist_stats import artist_stats
from tests.frames import play
from tests.gold.descriptive.plays import computed


def test_amounts_rank_and_shares(spark: SparkSession) -> None:
    rows = [
        play(1, "2024-01-01 10:00:00", valence=0.2),
        play(2, "2024-01-01 11:00:00", valence=0.9, ms_played=5_000, is_skip=True),
        play(3, "2024-01-03 10:00:00", artist_name="ARTIST 1", track_id="t2", feature_source="synthetic", is_measured=False),
        play(4, "2024-01-02 10:00:00", artist_key="a2", artist_name="Artist 2"),
        play(5, "2024-01-02 10:10:00", artist_key="a0", artist_name="Artist 0"),
        play(6, "2024-01-02 10:20:00", artist_key=None, artist_name=None),
    ]
    a0, a1, a2 = computed(spark, artist_stats, rows)
    assert [(a["artist_key"], a["rank"], a["share_of_listens"]) for a in (a0, a1, a2)] == [
        ("a0", 2, 0.2),
        ("a1", 1, 0.4),
        ("a2", 3, 0.2),
    ]
    assert (a1["artist_name"], a1["plays"], a1["listens"], a1["unique_tracks"], a1["active_days"]) == ("ARTIST 1", 3, 2, 2, 2)
    assert a1["minutes"] == pytest.approx(365 / 60)
    assert a1["skip_rate"] == pytest.approx(1 / 3)
    assert (a1["first_played_at"], a1["last_played_at"]) == (dt.datetime(2024, 1, 1, 10), dt.datetime(2024, 1, 3, 10))
    assert (a1["avg_valence"], a1["known_listens"], a1["measured_share"]) == (0.2, 1, 0.5)


def test_trend_compares_the_last_ninety_days_with_those_before(spark: SparkSession) -> None:
    last = dt.datetime(2024, 12, 31, 12)
    ages = {"up": [0, 1, 89, 90], "down": [90, 179, 89], "gone": [180, 400]}
    pairs = [(artist, age) for artist, days in ages.items() for age in days]
    rows = [play(n, str(last - dt.timedelta(days=age)), artist_key=artist) for n, (artist, age) in enumerate(pairs)]
    rows.append(play(99, "2026-01-01 10:00:00", user_id="you", artist_key="up"))
    found = {(r["user_id"], r["artist_key"]): r for r in computed(spark, artist_stats, rows)}
    counts = {k: (r["listens_last_90_days"], r["listens_previous_90_days"], r["trend"]) for k, r in found.items()}
    assert counts == {
        ("me", "up"): (3, 1, 0.5),
        ("me", "down"): (1, 2, pytest.approx(-1 / 3)),
        ("me", "gone"): (0, 0, None),
        ("you", "up"): (1, 0, 1.0),
    }


def test_a_listener_without_listens_has_artists_but_no_shares(spark: SparkSession) -> None:
    (row,) = computed(spark, artist_stats, [play(1, "2024-01-01 10:00:00", ms_played=0)])
    assert (row["plays"], row["listens"], row["rank"], row["minutes"]) == (1, 0, 1, 0.0)
    assert row["share_of_listens"] is None
    assert row["avg_valence"] is None
