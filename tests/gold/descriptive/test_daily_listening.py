"""Days of a listener: variety, novelty and streaks."""

from __future__ import annotations

import datetime as dt

from pyspark.sql import SparkSession

from gold.descriptive.daily_listening import daily_listening
from tests.frames import play
from tests.gold.descriptive.plays import computed, random_plays


def test_a_day_counts_everything_played(spark: SparkSession) -> None:
    rows = [
        play(1, "2024-01-01 08:00:00", is_skip=True, ms_played=10_000),
        play(2, "2024-01-01 21:30:00", track_id="t2", artist_key=None, artist_name=None, session_id="late"),
        play(3, "2024-01-02 00:10:00", track_id="t2", artist_key="a2", session_id="late", ms_played=None),
        play(4, "2024-01-02 00:20:00", track_id="t1", session_id="late"),
    ]
    first, second = computed(spark, daily_listening, rows)
    assert (first["plays"], first["listens"], first["skips"], first["skip_rate"]) == (2, 1, 1, 0.5)
    assert first["minutes"] == 190_000 / 60_000
    assert (first["unique_tracks"], first["unique_artists"], first["sessions"]) == (1, 0, 2)
    assert (first["new_tracks"], first["new_artists"]) == (1, 0)
    assert first["first_play_local_time"] == dt.datetime(2024, 1, 1, 8, 0)
    assert first["last_play_local_time"] == dt.datetime(2024, 1, 1, 21, 30)
    assert (second["unique_tracks"], second["unique_artists"], second["sessions"]) == (2, 2, 1)
    assert (second["new_tracks"], second["new_artists"]) == (1, 2)
    assert second["minutes"] == 3.0


def test_streaks_break_on_silent_days_and_on_days_of_short_plays(spark: SparkSession) -> None:
    days = ["2023-12-31", "2024-01-01", "2024-01-02", "2024-01-03", "2024-01-05", "2024-01-06"]
    rows = [play(n, f"{day} 10:00:00", ms_played=5_000 if day.endswith("02") else 60_000) for n, day in enumerate(days)]
    rows += [play(9, "2024-01-06 10:00:00", user_id="you"), play(10, "2024-01-06 23:00:00")]
    streaks = [(r["user_id"], r["streak_days"]) for r in computed(spark, daily_listening, rows)]
    assert streaks == [("me", 1), ("me", 2), ("me", 0), ("me", 1), ("me", 1), ("me", 2), ("you", 1)]


def test_new_things_of_all_days_add_up_to_all_things(spark: SparkSession) -> None:
    rows = [row for row in random_plays() if row["user_id"] == "heavy"]
    days = computed(spark, daily_listening, rows)
    assert sum(d["new_tracks"] for d in days) == len({row["track_id"] for row in rows})
    assert sum(d["new_artists"] for d in days) == len({row["artist_key"] for row in rows} - {None})
    assert sum(d["plays"] for d in days) == len(rows)
