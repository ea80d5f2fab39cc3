"""Sessions, listeners and the quarantine: what is counted, over what."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from pyspark.sql import SparkSession

from bronze.listener_settings import listener_settings
from silver.quarantine import quarantine
from silver.sessions import sessions
from silver.users import users
from tests.frames import collect, frame, play
from tests.silver.rows import history, silver_plays

UPSTREAM = "silver.listening_with_features"


def sessions_of(spark: SparkSession, plays: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    result = collect("silver.sessions", sessions(frame(spark, UPSTREAM, plays)))
    assert len({row["session_id"] for row in result}) == len(result)
    return {row["session_id"]: row for row in result}


def test_a_session_in_figures(spark: SparkSession) -> None:
    plays = [
        play(1, "2024-01-06 23:50:00", ms_played=240_000, energy=0.2, valence=0.4, track_id="t1"),
        play(2, "2024-01-06 23:54:00", ms_played=10_000, is_short=True, is_listen=False, is_skip=True, energy=1.0, track_id="t1"),
        play(3, "2024-01-07 00:05:00", ms_played=120_000, energy=0.6, valence=0.8, track_id="t2", artist_key="a2"),
        play(
            4, "2024-01-07 00:06:00", ms_played=60_000, energy=0.0, feature_source="synthetic", is_measured=False, track_id="t3"
        ),
    ]
    plays[3] |= {"artist_key": None}
    only = sessions_of(spark, [row | {"session_id": "s"} for row in plays])["s"]
    del only["user_id"], only["session_id"]
    assert only == {
        "started_at": dt.datetime(2024, 1, 6, 23, 50),
        "ended_at": dt.datetime(2024, 1, 7, 0, 7),
        "start_hour": 23,
        "date": dt.date(2024, 1, 6),
        "day_of_week": 6,
        "is_weekend": True,
        "part_of_day": "night",
        "lacks_timezone": False,
        "minutes": pytest.approx(17.0),
        "minutes_played": pytest.approx(430 / 60),
        "plays": 4,
        "listens": 3,
        "unique_tracks": 3,
        "unique_artists": 2,
        "skips": 1,
        "skip_rate": 0.25,
        "avg_valence": pytest.approx(0.6),
        "avg_energy": pytest.approx(0.4),
        "measured_share": pytest.approx(2 / 3),
        "recency_weight": pytest.approx(0.5 ** (1 / 90)),
    }


def test_the_end_is_that_of_the_play_that_ended_last(spark: SparkSession) -> None:
    plays = [play(1, "2024-01-01 10:00:00", ms_played=3_600_000), play(2, "2024-01-01 10:10:00", ms_played=60_000)]
    only = sessions_of(spark, [row | {"session_id": "s"} for row in plays])["s"]
    assert (only["ended_at"], only["minutes"]) == (dt.datetime(2024, 1, 1, 11), pytest.approx(60.0))


def test_a_session_without_listens_features_or_durations(spark: SparkSession) -> None:
    unknown = {"energy": None, "valence": None, "feature_source": None, "is_measured": False}
    plays = [
        play(1, "2024-01-01 10:00:00", session_id="short", is_listen=False, **unknown),
        play(2, "2024-01-01 12:00:00", session_id="scrobbled", ms_played=None, **unknown),
    ]
    told = sessions_of(spark, plays)
    names = ("listens", "minutes_played", "avg_energy", "measured_share")
    assert tuple(told["short"][name] for name in names) == (0, 3.0, None, None)
    assert tuple(told["scrobbled"][name] for name in names) == (1, 0.0, None, 0.0)


def test_recency_is_told_from_the_listeners_own_last_day(spark: SparkSession) -> None:
    days = (("2024-01-01", "me"), ("2024-03-31", "me"), ("2024-06-29", "me"), ("2020-01-01", "anna"))
    plays = [play(n, f"{day} 10:00:00", user_id=user, session_id=day) for n, (day, user) in enumerate(days)]
    weights = {name: row["recency_weight"] for name, row in sessions_of(spark, plays).items()}
    assert weights == {"2024-01-01": 0.25, "2024-03-31": 0.5, "2024-06-29": 1.0, "2020-01-01": 1.0}


def test_listeners_account_for_every_row(spark: SparkSession) -> None:
    rows = [
        history(1, "2024-03-01T10:03:00Z"),
        history(2, "2024-03-01T10:03:00Z"),
        history(3, "2020-01-01T00:01:00Z", ms_played="60000"),
        history(4, "never"),
        history(5, track_name=None, artist_name=None, episode_name="Episode"),
        history(6, "2024-03-01T10:00:05Z", source_kind="scrobble", ms_played=None),
        history(7, "soon", user_id="anna"),
    ]
    zone = {"timezone": "Asia/Tokyo", "timezone_source": "set"}
    settings = frame(spark, "bronze.listener_settings", [{"user_id": user, **zone} for user in ("me", "anna")])
    anna, me = collect("silver.users", users(silver_plays(spark, rows), settings))
    assert me == {
        "user_id": "me",
        "timezone": "Asia/Tokyo",
        "timezone_source": "set",
        "timezone_guess": None,
        "timezone_guess_from": None,
        "timezone_guess_n": None,
        "is_synthetic": False,
        "source_kinds": ["export", "scrobble"],
        "rows": 6,
        "kept": 2,
        "duplicates": 2,
        "quarantined": 1,
        "set_aside": 1,
        "first_played_at": dt.datetime(2020, 1, 1),
        "last_played_at": dt.datetime(2024, 3, 1, 10),
    }
    assert (anna["rows"], anna["kept"], anna["quarantined"], anna["last_played_at"]) == (1, 0, 1, None)


def test_the_quarantine_names_file_reason_and_value(spark: SparkSession) -> None:
    rows = [history(1), history(2, "never", track_name="Odd"), history(3, ms_played="-1", file_hash="g" * 64, file_name="g.json")]
    result = collect("silver.quarantine", quarantine(silver_plays(spark, rows), frame(spark, "bronze.listening_history", rows)))
    names = ("row_number", "file_name", "reason", "reason_value", "track_name", "artist_name")
    assert [tuple(row[name] for name in names) for row in result] == [
        (2, "export.json", "unparseable_ts", "never", "Odd", "Artist"),
        (3, "g.json", "negative_ms_played", "-1", "Title", "Artist"),
    ]


def test_each_listener_has_the_zone_that_is_set_for_them(spark: SparkSession) -> None:
    rows = frame(
        spark, "bronze.listening_history", [history(n, user_id=user) for n, user in enumerate(("me", "anna", "me", "x'y"))]
    )
    zones = {"anna": "Europe/Berlin", "x'y": "Asia/Tokyo", "nobody": "Asia/Tokyo"}
    result = collect("bronze.listener_settings", listener_settings(rows, default_timezone="America/New_York", timezones=zones))
    assert {row["user_id"]: (row["timezone"], row["timezone_source"]) for row in result} == {
        "me": ("America/New_York", "set"),
        "anna": ("Europe/Berlin", "set"),
        "x'y": ("Asia/Tokyo", "set"),
    }
    assert len(result) == 3


@pytest.mark.parametrize(("default", "expected"), [(None, ("UTC", "unknown")), ("UTC", ("UTC", "set"))])
def test_utc_is_a_zone_only_where_somebody_said_so(spark: SparkSession, default: str | None, expected: tuple[str, str]) -> None:
    rows = [history(1), history(2, user_id="anna", timezone="Asia/Tokyo"), history(3, user_id="ben")]
    settings = listener_settings(
        frame(spark, "bronze.listening_history", rows), default_timezone=default, timezones={"ben": "UTC"}
    )
    result = {row["user_id"]: (row["timezone"], row["timezone_source"]) for row in collect("bronze.listener_settings", settings)}
    assert result == {"me": expected, "anna": ("Asia/Tokyo", "file"), "ben": ("UTC", "set")}


def test_a_zone_that_a_file_names_holds_for_that_listener_unless_another_is_set(spark: SparkSession) -> None:
    named = {"timezone": "Asia/Kolkata"}
    rows = [history(1, user_id="a", **named), history(2, user_id="a"), history(3, user_id="b", **named), history(4, user_id="c")]
    settings = listener_settings(
        frame(spark, "bronze.listening_history", rows), default_timezone="America/New_York", timezones={"b": "Asia/Tokyo"}
    )
    result = {row["user_id"]: row["timezone"] for row in collect("bronze.listener_settings", settings)}
    assert result == {"a": "Asia/Kolkata", "b": "Asia/Tokyo", "c": "America/New_York"}
