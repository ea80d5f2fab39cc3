"""Artist charts: periods, ranks, shares, previous ranks, novelty."""

from __future__ import annotations

import datetime as dt
from typing import Any

from pyspark.sql import SparkSession

from gold.descriptive.top_artists import top_artists
from tests.frames import play
from tests.gold.descriptive.plays import computed


def chart(rows: list[dict[str, Any]], period_type: str, start: str) -> list[dict[str, Any]]:
    inside = [r for r in rows if r["period_type"] == period_type and r["period_start"] == dt.date.fromisoformat(start)]
    return sorted(inside, key=lambda r: int(r["rank"]))


def test_a_play_stands_in_its_week_month_quarter_year_and_all_time(spark: SparkSession) -> None:
    rows = computed(spark, top_artists, [play(1, "2024-05-01 10:00:00"), play(2, "2024-05-05 23:59:59")])
    assert {(r["period_type"], str(r["period_start"]), r["listen_count"]) for r in rows} == {
        ("week", "2024-04-29", 2),
        ("month", "2024-05-01", 2),
        ("quarter", "2024-04-01", 2),
        ("year", "2024-01-01", 2),
        ("all_time", "2024-05-01", 2),
    }
    assert {(r["is_new"], r["share_of_listens"], r["minutes"]) for r in rows} == {(True, 1.0, 6.0)}


def test_ranks_by_listens_then_time_then_key_and_shares_of_all_listens(spark: SparkSession) -> None:
    plays = [
        play(1, "2024-05-01 10:00:00", artist_key="a3"),
        play(2, "2024-05-01 10:10:00", artist_key="a2"),
        play(3, "2024-05-01 10:20:00", artist_key="a4", ms_played=200_000),
        play(4, "2024-05-01 10:30:00", artist_key="a1", ms_played=20_000),
        play(5, "2024-05-01 10:40:00", artist_key="a2", ms_played=0),
        play(6, "2024-05-01 10:50:00", artist_key=None, artist_name=None),
    ]
    ranked = chart(computed(spark, top_artists, plays), "month", "2024-05-01")
    assert [(r["artist_key"], r["listen_count"], r["play_count"], r["share_of_listens"]) for r in ranked] == [
        ("a4", 1, 1, 0.25),
        ("a2", 1, 2, 0.25),
        ("a3", 1, 1, 0.25),
    ]


def test_what_is_new_is_heard_for_the_first_time_ever(spark: SparkSession) -> None:
    plays = [
        play(1, "2024-01-30 10:00:00", artist_key="a2"),
        play(2, "2024-01-30 11:00:00", artist_key="a2"),
        play(3, "2024-01-31 10:00:00", artist_key="a1"),
        play(4, "2024-02-29 10:00:00", artist_key="a1"),
        play(5, "2024-04-01 10:00:00", artist_key="a1"),
        play(6, "2024-04-02 10:00:00", artist_key="a2", user_id="you"),
    ]
    rows = [r for r in computed(spark, top_artists, plays) if r["artist_key"] == "a1"]
    assert {(r["period_type"], str(r["period_start"])): r["is_new"] for r in rows} == {
        ("week", "2024-01-29"): True,
        ("week", "2024-02-26"): False,
        ("week", "2024-04-01"): False,
        ("month", "2024-01-01"): True,
        ("month", "2024-02-01"): False,
        ("month", "2024-04-01"): False,
        ("quarter", "2024-01-01"): True,
        ("quarter", "2024-04-01"): False,
        ("year", "2024-01-01"): True,
        ("all_time", "2024-01-30"): True,
    }


def test_weeks_over_new_year_and_the_latest_name(spark: SparkSession) -> None:
    plays = [
        play(1, "2023-12-31 10:00:00"),
        play(2, "2024-01-01 10:00:00"),
        play(3, "2024-01-02 10:00:00", artist_name="RENAMED"),
    ]
    rows = computed(spark, top_artists, plays)
    assert [chart(rows, "week", start)[0]["listen_count"] for start in ("2023-12-25", "2024-01-01")] == [1, 2]
    assert {r["artist_name"] for r in rows} == {"RENAMED"}


def test_a_short_first_play_makes_a_later_listen_no_news(spark: SparkSession) -> None:
    rows = computed(spark, top_artists, [play(1, "2024-01-31 10:00:00", ms_played=9), play(2, "2024-02-01 10:00:00")])
    assert chart(rows, "month", "2024-01-01") == []
    assert chart(rows, "month", "2024-02-01")[0]["is_new"] is False
    assert chart(rows, "all_time", "2024-01-31")[0]["play_count"] == 2


def test_a_hundred_at_most(spark: SparkSession) -> None:
    rows = computed(spark, top_artists, [play(n, "2024-05-01 10:00:00", artist_key=f"a{n:03d}") for n in range(102)])
    ranked = chart(rows, "year", "2024-01-01")
    assert [r["artist_key"] for r in ranked] == [f"a{n:03d}" for n in range(100)]
    assert {r["share_of_listens"] for r in ranked} == {1 / 102}
