"""Genre charts: a listen counts once for each genre of its track."""

from __future__ import annotations

from pyspark.sql import SparkSession

from gold.descriptive.top_genres import top_genres
from tests.frames import play
from tests.gold.descriptive.plays import computed


def test_a_listen_counts_for_each_genre_and_shares_are_of_listens_with_one(spark: SparkSession) -> None:
    rows = [
        play(1, "2024-05-01 10:00:00", genres=["pop", "rock"]),
        play(2, "2024-05-01 10:10:00", genres=["rock"], ms_played=60_000),
        play(3, "2024-05-01 10:20:00", genres=["rock"], ms_played=1_000),
        play(4, "2024-05-01 10:30:00", genres=[]),
        play(5, "2024-05-01 10:40:00", genres=None),
        play(6, "2024-05-01 10:50:00", genres=["pop", "pop"], user_id="you"),
    ]
    years = [r for r in computed(spark, top_genres, rows) if r["period_type"] == "year"]
    columns = ("user_id", "rank", "genre", "listen_count", "play_count", "minutes", "share_of_listens")
    assert [tuple(r[c] for c in columns) for r in years] == [
        ("me", 1, "rock", 2, 3, 241 / 60, 1.0),
        ("me", 2, "pop", 1, 1, 3.0, 0.5),
        ("you", 1, "pop", 1, 1, 3.0, 1.0),
    ]


def test_all_time_starts_with_the_first_play_even_without_a_genre(spark: SparkSession) -> None:
    rows = computed(spark, top_genres, [play(1, "2024-01-05 10:00:00", genres=[]), play(2, "2024-02-01 10:00:00")])
    assert [str(r["period_start"]) for r in rows if r["period_type"] == "all_time"] == ["2024-01-05"]


def test_no_genres_no_rows(spark: SparkSession) -> None:
    assert computed(spark, top_genres, [play(1, "2024-01-05 10:00:00", genres=None)]) == []
