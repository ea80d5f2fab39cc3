"""Kept plays with features, mood, local time and session: none lost, none twice."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from music.local_time import time_columns
from music.moods import mood_category
from silver.listening_with_features import listeners_of, listening_with_features
from tests.frames import UTC, collect, frame

START = dt.datetime(2024, 3, 1, 10, tzinfo=UTC)


def kept(number: int, seconds: float = 0, ms: int | None = 180_000, **changes: Any) -> dict[str, Any]:
    """A row of silver.plays that starts that many seconds after 10:00."""
    start = START + dt.timedelta(seconds=seconds)
    row = {
        "user_id": "me",
        "file_hash": "f",
        "row_number": number,
        "disposition": "kept",
        "play_id": f"p{number}",
        "source": "spotify_extended",
        "source_kind": "export",
        "sources": ["export"],
        "played_at": start,
        "ended_at": start + dt.timedelta(milliseconds=ms or 0),
        "ms_played": ms,
        "track_id": "t",
    }
    return row | changes


def listened(
    spark: SparkSession, plays: list[dict[str, Any]], tracks: list[dict[str, Any]] | None = None, zone: str = "UTC", gap: int = 30
) -> dict[str, dict[str, Any]]:
    known = [{"track_id": "t", "in_catalogue": False}] if tracks is None else tracks
    users = sorted({row["user_id"] for row in plays})
    result = listening_with_features(
        frame(spark, "silver.plays", plays),
        frame(spark, "silver.tracks", known),
        frame(spark, "bronze.listener_settings", [{"user_id": user, "timezone": zone} for user in users]),
        session_gap_minutes=gap,
    )
    rows = collect("silver.listening_with_features", result)
    by_id = {row["play_id"]: row for row in rows}
    assert len(by_id) == len(rows)
    return by_id


def test_only_kept_plays_each_once_with_or_without_a_known_track(spark: SparkSession) -> None:
    others = [kept(9, disposition=name, play_id=None) for name in ("duplicate", "quarantined", "set_aside")]
    tracks = [
        {"track_id": "t", "energy": 0.7, "valence": 0.7, "feature_source": "kaggle_name", "genres": ["pop", "rock"]},
        {"track_id": "u", "energy": 0.1, "valence": 0.1, "feature_source": "artist_mean"},
    ]
    rows = listened(spark, [kept(1), kept(2, track_id="u"), kept(3, track_id="v"), *others], tracks)
    names = ("feature_source", "is_measured", "mood_category", "genres", "energy")
    assert {play: tuple(row[name] for name in names) for play, row in rows.items()} == {
        "p1": ("kaggle_name", True, "Happy_Energetic", ["pop", "rock"], 0.7),
        "p2": ("artist_mean", False, "Sad_Calm", [], 0.1),
        "p3": (None, False, None, [], None),
    }


def test_short_plays_and_skips(spark: SparkSession) -> None:
    rows = listened(
        spark,
        [
            kept(1, ms=29_999),
            kept(2, ms=30_000),
            kept(3, ms=None),
            kept(4, ms=0, skipped=True),
            kept(5, skipped=False, reason_end="fwdbtn"),
            kept(6, skipped=False, reason_end="trackdone"),
        ],
    )
    told = {play: (row["is_short"], row["is_listen"], row["is_skip"]) for play, row in rows.items()}
    assert told == {
        "p1": (True, False, False),
        "p2": (False, True, False),
        "p3": (False, True, False),
        "p4": (True, False, True),
        "p5": (False, True, True),
        "p6": (False, True, False),
    }


BERLIN = {
    # Winter is UTC+1, summer UTC+2; the clock jumps 02:00 -> 03:00 on 31 March and back 03:00 -> 02:00 on 27 October 2024.
    "2024-03-31T00:59:59": ("2024-03-31T01:59:59", 7, "Sunday", True, "night"),
    "2024-03-31T01:00:00": ("2024-03-31T03:00:00", 7, "Sunday", True, "night"),
    "2024-10-27T00:30:00": ("2024-10-27T02:30:00", 7, "Sunday", True, "night"),
    "2024-10-27T01:30:00": ("2024-10-27T02:30:00", 7, "Sunday", True, "night"),
    "2024-02-29T22:59:59": ("2024-02-29T23:59:59", 4, "Thursday", False, "night"),
    "2024-02-29T23:00:00": ("2024-03-01T00:00:00", 5, "Friday", False, "night"),
    "2023-12-31T23:30:00": ("2024-01-01T00:30:00", 1, "Monday", False, "night"),
    "2024-07-05T21:59:00": ("2024-07-05T23:59:00", 5, "Friday", False, "night"),
    "2024-07-05T22:00:00": ("2024-07-06T00:00:00", 6, "Saturday", True, "night"),
    "2024-07-07T22:00:00": ("2024-07-08T00:00:00", 1, "Monday", False, "night"),
    "2024-01-02T05:00:00": ("2024-01-02T06:00:00", 2, "Tuesday", False, "morning"),
    "2024-01-03T11:59:59": ("2024-01-03T12:59:59", 3, "Wednesday", False, "afternoon"),
}


def test_local_time_in_berlin(spark: SparkSession) -> None:
    plays = [kept(n, played_at=dt.datetime.fromisoformat(text).replace(tzinfo=UTC)) for n, text in enumerate(BERLIN)]
    rows = listened(spark, plays, zone="Europe/Berlin")
    for number, (utc, (local, day, name, is_weekend, part)) in enumerate(BERLIN.items()):
        row, wall = rows[f"p{number}"], dt.datetime.fromisoformat(local)
        assert (row["played_at"], row["local_time"]) == (dt.datetime.fromisoformat(utc), wall), utc
        assert (row["date"], row["hour_of_day"]) == (wall.date(), wall.hour), utc
        assert (row["day_of_week"], row["day_name"], row["is_weekend"], row["part_of_day"]) == (day, name, is_weekend, part), utc


def computed(spark: SparkSession, values: list[tuple[Any, ...]], schema: str, **columns: Column) -> list[tuple[Any, ...]]:
    rows: DataFrame = spark.createDataFrame(values, schema)
    return [tuple(row) for row in rows.select(*[value.alias(name) for name, value in columns.items()]).collect()]


def test_parts_of_the_day_hour_by_hour(spark: SparkSession) -> None:
    hours = [(START.replace(hour=hour),) for hour in range(24)]
    told = computed(spark, hours, "at timestamp", part=time_columns(F.col("at"))["part_of_day"])
    expected = ["night"] * 6 + ["morning"] * 6 + ["afternoon"] * 6 + ["evening"] * 5 + ["night"]
    assert [part for (part,) in told] == expected


@pytest.mark.parametrize(
    ("valence", "energy", "mood"),
    [
        (0.6, 0.6, "Happy_Energetic"),
        (0.6, 0.5999, "Neutral"),
        (0.5999, 0.6, "Neutral"),
        (0.6, 0.3999, "Happy_Calm"),
        (0.6, 0.4, "Neutral"),
        (0.3999, 0.6, "Sad_Energetic"),
        (0.4, 0.6, "Neutral"),
        (0.3999, 0.3999, "Sad_Calm"),
        (0.4, 0.3999, "Neutral"),
        (0.3999, 0.4, "Neutral"),
        (0.5, 0.5, "Neutral"),
        (1.0, 0.0, "Happy_Calm"),
        (None, 0.9, None),
        (0.9, None, None),
    ],
)
def test_moods_at_their_borders(spark: SparkSession, valence: float | None, energy: float | None, mood: str | None) -> None:
    told = computed(spark, [(valence, energy)], "v double, e double", mood=mood_category(F.col("v"), F.col("e")))
    assert told == [(mood,)]


def groups(rows: dict[str, dict[str, Any]]) -> list[list[str]]:
    sessions: dict[str, list[str]] = {}
    for play, row in sorted(rows.items()):
        sessions.setdefault(row["session_id"], []).append(play)
    return sorted(sessions.values())


def test_a_session_ends_after_more_than_the_gap(spark: SparkSession) -> None:
    minute = 60
    plays = [
        kept(1, 0, ms=minute * 1000),
        kept(2, 31 * minute, ms=minute * 1000),
        kept(3, 62 * minute + 0.001, ms=0),
        kept(4, 62 * minute + 1, ms=0, user_id="anna"),
    ]
    assert groups(listened(spark, plays)) == [["p1", "p2"], ["p3"], ["p4"]]
    assert groups(listened(spark, plays, gap=31)) == [["p1", "p2", "p3"], ["p4"]]
    assert groups(listened(spark, plays, gap=29)) == [["p1"], ["p2"], ["p3"], ["p4"]]


def test_a_long_play_keeps_a_session_open_though_a_short_one_ended_since(spark: SparkSession) -> None:
    hour = 3600
    plays = [kept(1, 0, ms=2 * hour * 1000), kept(2, 60, ms=1000), kept(3, 2.25 * hour, ms=0), kept(4, 3 * hour, ms=0)]
    assert groups(listened(spark, plays)) == [["p1", "p2", "p3"], ["p4"]]


def test_sessions_do_not_depend_on_the_order_of_rows(spark: SparkSession) -> None:
    plays = [kept(number, number * 900, ms=1000) for number in range(1, 7)] + [kept(7, 9000), kept(8, 9000)]
    assert listened(spark, plays) == listened(spark, plays[::-1])


def test_a_changed_track_touches_the_listeners_who_kept_a_play_of_it(spark: SparkSession) -> None:
    plays = frame(
        spark,
        "silver.plays",
        [kept(1), kept(2), kept(3, user_id="anna", track_id="u"), kept(4, user_id="bob", disposition="duplicate")],
    )
    changed = spark.createDataFrame([("t",), ("x",)], "track_id string")
    assert [row["user_id"] for row in listeners_of(changed, plays).collect()] == ["me"]
