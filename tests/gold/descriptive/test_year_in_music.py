"""A year of a listener: tops, busiest, new, streak, change."""

from __future__ import annotations

import datetime as dt

import pytest
from pyspark.sql import SparkSession

from gold.descriptive.year_in_music import year_in_music
from tests.frames import play
from tests.gold.descriptive.plays import computed


def test_a_year(spark: SparkSession) -> None:
    rows = [
        play(1, "2023-12-31 23:00:00", ms_played=60_000),
        play(2, "2024-01-01 09:00:00", track_name="TRACK 1", mood_category="Sad_Calm"),
        play(3, "2024-01-02 09:00:00", mood_category="Sad_Calm"),
        play(4, "2024-03-01 21:00:00", track_id="t2", track_name="Two", artist_key="a2", artist_name="B", genres=["jazz", "pop"]),
        play(5, "2024-03-01 22:00:00", track_id="t3", artist_key="a2", artist_name="b", genres=["jazz"], ms_played=200_000),
        play(6, "2024-03-01 22:10:00", track_id="t3", artist_key="a2", artist_name="b", genres=None, ms_played=1, is_skip=True),
    ]
    before, year = computed(spark, year_in_music, rows)
    assert (before["year"], before["minutes"], before["minutes_change"], before["new_artists"]) == (2023, 1.0, None, 1)
    assert (year["plays"], year["listens"], year["active_days"], year["skip_rate"]) == (5, 4, 3, 0.2)
    assert (year["minutes"], year["minutes_change"]) == pytest.approx((740.001 / 60, 680.001 / 60))
    assert (year["unique_tracks"], year["unique_artists"], year["unique_genres"], year["new_artists"]) == (3, 2, 3, 1)
    assert (year["top_artist"], year["top_artist_listens"]) == ("b", 2)
    assert (year["top_track"], year["top_track_artist"], year["top_track_listens"]) == ("Track 1", "Artist 1", 2)
    assert (year["top_genre"], year["top_genre_listens"]) == ("jazz", 2)
    assert (year["busiest_date"], year["busiest_hour"]) == (dt.date(2024, 3, 1), 9)
    assert year["busiest_date_minutes"] == pytest.approx(380.001 / 60)
    assert year["longest_streak_days"] == 2
    assert (year["top_mood"], year["top_mood_share"], year["measured_share"]) == ("Neutral", 0.5, 1.0)


def test_the_change_is_null_after_a_silent_year_and_listeners_do_not_mix(spark: SparkSession) -> None:
    rows = [
        play(1, "2021-05-01 10:00:00"),
        play(2, "2023-05-01 10:00:00"),
        play(3, "2024-05-01 10:00:00", ms_played=60_000),
        play(4, "2022-05-01 10:00:00", user_id="you"),
    ]
    found = [(r["user_id"], r["year"], r["minutes_change"], r["new_artists"]) for r in computed(spark, year_in_music, rows)]
    assert found == [("me", 2021, None, 1), ("me", 2023, None, 0), ("me", 2024, -2.0, 0), ("you", 2022, None, 1)]


def test_a_year_of_one_short_unlabelled_play(spark: SparkSession) -> None:
    row = play(1, "2024-05-01 10:00:00", ms_played=100, artist_key=None, artist_name=None, genres=[], feature_source="synthetic")
    (year,) = computed(spark, year_in_music, [row])
    assert (year["plays"], year["listens"], year["unique_tracks"], year["unique_artists"], year["unique_genres"]) == (
        1,
        0,
        0,
        0,
        0,
    )
    assert (year["busiest_date"], year["busiest_hour"], year["longest_streak_days"]) == (dt.date(2024, 5, 1), 10, 0)
    for name in ("top_artist", "top_artist_listens", "top_track", "top_genre", "top_mood", "top_mood_share", "measured_share"):
        assert year[name] is None, name
