"""Guesses of time zones from made-up plays: by country, by quiet hours, and where nothing can be guessed."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from typing import Any

import pytest
from pyspark.sql import SparkSession

import silver.plays  # noqa: F401
from silver.timezone_guess import timezone_guesses
from tests.frames import UTC, frame

FIRST = dt.datetime(2024, 1, 1, tzinfo=UTC)
Guess = tuple[str, str, int]


def guesses(spark: SparkSession, plays: Iterable[dict[str, Any]]) -> dict[str, Guess]:
    rows = [{"file_hash": "f", "row_number": number, **play} for number, play in enumerate(plays, start=1)]
    found = timezone_guesses(frame(spark, "silver.plays", rows)).collect()
    return {row["user_id"]: (row["timezone_guess"], row["timezone_guess_from"], row["timezone_guess_n"]) for row in found}


def plays(user: str, *countries: str | None) -> list[dict[str, Any]]:
    return [{"user_id": user, "played_at": FIRST + dt.timedelta(hours=n), "conn_country": c} for n, c in enumerate(countries)]


def daily(user: str, hours: Iterable[int], dates: int = 60, **values: Any) -> list[dict[str, Any]]:
    """A play in each of the UTC hours on each of the dates."""
    days = [FIRST + dt.timedelta(days=day) for day in range(dates)]
    return [{"user_id": user, "played_at": day + dt.timedelta(hours=hour), **values} for day in days for hour in hours]


def test_the_country_of_most_plays_gives_its_one_zone(spark: SparkSession) -> None:
    found = guesses(
        spark,
        [
            *plays("tokyo", "JP", "JP", "US", None, "ZZ", "ZZ", "ZZ"),
            *plays("berlin", "DE", " de", "FR"),
            *plays("tied", "SE", "IN"),
            *plays("nowhere", "ZZ", None, "", "XX"),
            *plays("america", "US", "US", "JP"),
        ],
    )
    # India is before Sweden in the alphabet; the United States have several zones, and the trip to Japan says nothing.
    assert found == {
        "tokyo": ("Asia/Tokyo", "country", 2),
        "berlin": ("Europe/Berlin", "country", 2),
        "tied": ("Asia/Kolkata", "country", 1),
    }


@pytest.mark.parametrize(
    ("quiet_from", "zone"),
    # 4:00 is in the middle: hours 1 to 6 in UTC are those of UTC, 23 to 4 are two hours ahead of it.
    [(1, "UTC"), (23, "Etc/GMT-2"), (6, "Etc/GMT+5"), (16, "Etc/GMT-9"), (13, "Etc/GMT-12"), (12, "Etc/GMT+11")],
)
def test_the_quiet_hours_are_taken_for_the_night(spark: SparkSession, quiet_from: int, zone: str) -> None:
    quiet = {(quiet_from + hour) % 24 for hour in range(6)}
    found = guesses(spark, daily("me", [hour for hour in range(24) if hour not in quiet], conn_country="ZZ"))
    assert found == {"me": (zone, "hours", 60)}


def test_a_country_of_several_zones_leaves_it_to_the_hours(spark: SparkSession) -> None:
    found = guesses(spark, daily("me", [*range(6), *range(12, 24)], conn_country="US"))
    assert found == {"me": ("Etc/GMT+5", "hours", 60)}


def test_hours_that_are_not_clear_give_no_guess(spark: SparkSession) -> None:
    awake = [hour for hour in range(24) if not 1 <= hour <= 6]
    found = guesses(
        spark,
        [
            *daily("short", awake, dates=59),
            *daily("always", range(24)),
            # Two quiet intervals: which of them is the night?
            *daily("twice", [hour for hour in awake if not 13 <= hour <= 18]),
            # More than 0.4 of an even spread in the quiet hours, and a single hour a day.
            *daily("restless", awake),
            *daily("restless", range(1, 7), dates=21),
            *daily("narrow", [20]),
        ],
    )
    assert found == {}


def test_quiet_hours_need_not_be_silent(spark: SparkSession) -> None:
    awake = [hour for hour in range(24) if not 1 <= hour <= 6]
    found = guesses(spark, [*daily("me", awake), *daily("me", range(1, 7), dates=20)])
    assert found == {"me": ("UTC", "hours", 60)}


def test_one_listener_s_guess_does_not_depend_on_others(spark: SparkSession) -> None:
    awake = [hour for hour in range(24) if not 1 <= hour <= 6]
    alone = guesses(spark, daily("me", awake))
    assert guesses(spark, [*daily("me", awake), *plays("other", "JP")])["me"] == alone["me"]
