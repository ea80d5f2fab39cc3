"""Track charts: identity is the id, the name is the latest."""

from __future__ import annotations

from pyspark.sql import SparkSession

from gold.descriptive.top_tracks import top_tracks
from tests.frames import play
from tests.gold.descriptive.plays import computed, random_plays


def test_a_track_is_its_id_and_called_as_last_played(spark: SparkSession) -> None:
    rows = [
        play(2, "2024-05-01 10:00:00", track_name="Same"),
        play(1, "2024-05-01 10:00:00", track_name="Older id on the same instant"),
        play(3, "2024-05-01 11:00:00", track_id="t2", track_name="Same"),
        play(4, "2024-05-01 12:00:00", user_id="you", track_name="Yours", artist_name="Theirs"),
    ]
    weeks = [r for r in computed(spark, top_tracks, rows) if r["period_type"] == "week"]
    assert [(r["user_id"], r["rank"], r["track_id"], r["track_name"], r["artist_name"], r["listen_count"]) for r in weeks] == [
        ("me", 1, "t1", "Same", "Artist 1", 2),
        ("me", 2, "t2", "Same", "Artist 1", 1),
        ("you", 1, "t1", "Yours", "Theirs", 1),
    ]


def test_listens_of_a_types_periods_add_up_to_all_listens(spark: SparkSession) -> None:
    plays = random_plays()
    listens = sum(row["is_listen"] for row in plays)
    charts = computed(spark, top_tracks, plays)
    sums = {t: sum(r["listen_count"] for r in charts if r["period_type"] == t) for t in {r["period_type"] for r in charts}}
    assert sums == dict.fromkeys(("week", "month", "quarter", "year", "all_time"), listens)
