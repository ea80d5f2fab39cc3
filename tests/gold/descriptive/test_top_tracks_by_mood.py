"""Ranks within a mood: listens, then time, then id; never from synthetic features."""

from __future__ import annotations

from pyspark.sql import SparkSession

from gold.descriptive.top_tracks_by_mood import top_tracks_by_mood
from tests.frames import play
from tests.gold.descriptive.plays import computed


def test_listens_decide_then_time_then_id(spark: SparkSession) -> None:
    rows = [
        play(1, "2024-01-01 10:00:00", track_id="t3"),
        play(2, "2024-01-01 10:10:00", track_id="t2"),
        play(3, "2024-01-01 10:20:00", track_id="t1", ms_played=180_001),
        play(4, "2024-01-01 10:30:00", track_id="t4", ms_played=30_000),
        play(5, "2024-01-01 10:40:00", track_id="t4", ms_played=30_000),
        play(6, "2024-01-01 10:50:00", track_id="t3", ms_played=0),
    ]
    ranked = computed(spark, top_tracks_by_mood, rows)
    assert [(r["rank_in_category"], r["track_id"], r["listen_count"], r["play_count"]) for r in ranked] == [
        (1, "t4", 2, 2),
        (2, "t1", 1, 1),
        (3, "t2", 1, 1),
        (4, "t3", 1, 2),
    ]


def test_moods_and_listeners_have_their_own_ranks(spark: SparkSession) -> None:
    rows = [
        play(1, "2024-01-01 10:00:00"),
        play(2, "2024-01-01 10:10:00", track_id="t2", mood_category="Sad_Calm", valence=0.1, energy=0.2),
        play(3, "2024-01-01 10:20:00", user_id="you"),
    ]
    ranked = computed(spark, top_tracks_by_mood, rows)
    assert [(r["user_id"], r["mood_category"], r["rank_in_category"], r["valence"]) for r in ranked] == [
        ("me", "Neutral", 1, 0.5),
        ("me", "Sad_Calm", 1, 0.1),
        ("you", "Neutral", 1, 0.5),
    ]


def test_unknown_synthetic_and_unheard_tracks_have_no_rank(spark: SparkSession) -> None:
    rows = [
        play(1, "2024-01-01 10:00:00", feature_source="synthetic", is_measured=False),
        play(2, "2024-01-01 10:10:00", track_id="t2", feature_source=None, is_measured=False, mood_category=None),
        play(3, "2024-01-01 10:20:00", track_id="t3", ms_played=29_999),
    ]
    assert computed(spark, top_tracks_by_mood, rows) == []


def test_estimates_show_and_the_latest_play_names_the_track(spark: SparkSession) -> None:
    rows = [
        play(2, "2024-01-01 10:00:00", track_name="Old", feature_source="artist_mean", is_measured=False),
        play(1, "2024-01-01 11:00:00", track_name="New", feature_source="artist_mean", is_measured=False),
    ]
    (row,) = computed(spark, top_tracks_by_mood, rows)
    assert (row["track_name"], row["feature_source"], row["measured_share"]) == ("New", "artist_mean", 0.0)


def test_fifty_at_most(spark: SparkSession) -> None:
    rows = [play(n, "2024-01-01 10:00:00", track_id=f"t{n:02d}") for n in range(52)]
    ranked = computed(spark, top_tracks_by_mood, rows)
    assert sorted(r["rank_in_category"] for r in ranked) == list(range(1, 51))
    assert {r["track_id"] for r in ranked} == {f"t{n:02d}" for n in range(50)}
