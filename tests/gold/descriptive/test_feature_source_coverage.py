"""Where features come from: all plays, 100 percent a listener."""

from __future__ import annotations

from pyspark.sql import SparkSession

from gold.descriptive.feature_source_coverage import feature_source_coverage
from tests.frames import play
from tests.gold.descriptive.plays import computed


def test_every_play_counts_once_for_its_source(spark: SparkSession) -> None:
    rows = [
        play(1, "2024-01-01 10:00:00", feature_source="api"),
        play(2, "2024-01-01 10:10:00", feature_source="api", ms_played=5),
        play(3, "2024-01-01 10:20:00", feature_source="synthetic", is_measured=False),
        play(4, "2024-01-01 10:30:00", feature_source=None, is_measured=False),
        play(5, "2024-01-01 10:30:00", user_id="you", feature_source="artist_mean", is_measured=False),
    ]
    found = computed(spark, feature_source_coverage, rows)
    columns = ("user_id", "feature_source", "record_count", "listen_count", "percentage", "measured")
    assert [tuple(r[c] for c in columns) for r in found] == [
        ("me", "api", 2, 1, 50.0, True),
        ("me", "none", 1, 1, 25.0, False),
        ("me", "synthetic", 1, 1, 25.0, False),
        ("you", "artist_mean", 1, 1, 100.0, False),
    ]
