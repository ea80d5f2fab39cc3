"""Anomalies: only the past counts, the distance by hand, and histories that are too short."""

from __future__ import annotations

import datetime as dt
import itertools
import math
import random
from typing import Any

import pytest
from pyspark.sql import SparkSession

import silver.listening_with_features  # noqa: F401
from gold.cognitive.listening_anomalies import listening_anomalies
from tests.frames import collect, frame, play

TABLE = "gold.listening_anomalies"


def run(spark: SparkSession, plays: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return collect(TABLE, listening_anomalies(frame(spark, "silver.listening_with_features", plays)))


def day(number: int, plays: int, **changes: Any) -> list[dict[str, Any]]:
    """So many plays of a minute from 10 h on the day `number` days after 2024-01-01, in one session."""
    start = dt.datetime(2024, 1, 1, 10) + dt.timedelta(days=number)
    moments = [start + dt.timedelta(minutes=i) for i in range(plays)]
    named = {"session_id": f"s{number}", "ms_played": 60_000, **changes}
    return [play(i, str(at), play_id=f"d{number:03d}-{i:03d}", **named) for i, at in enumerate(moments)]


def history(days: int, seed: int = 1) -> list[dict[str, Any]]:
    draw = random.Random(seed)  # noqa: S311
    return [row for number in range(days) for row in day(number, draw.choice((8, 9, 10, 11, 12)))]


def test_a_wild_day_is_found_by_hand(spark: SparkSession) -> None:
    """25 days of 8 or 12 plays, then one of 50: trimmed of the least and most, the past is ln 8 and ln 12 alone."""
    plays = [row for number in range(25) for row in day(number, 8 if number % 2 else 12)] + day(25, 50)
    [row] = [r for r in run(spark, plays) if r["grain"] == "day" and r["measure"] == "plays"]
    assert (row["at"], row["observed"], row["direction"], row["past_units"]) == (dt.datetime(2024, 1, 26), 50, "higher", 25)
    # 13 days of 12 and 12 of 8; without one of each, 12 and 11 of 23.
    centre = (12 * math.log(12) + 11 * math.log(8)) / 23
    assert row["expected"] == pytest.approx(math.exp(centre))
    squares = 12 * (math.log(12) - centre) ** 2 + 11 * (math.log(8) - centre) ** 2
    total = 1.1**2 * squares / (23 * (1 - 1.158 * 25**-0.45))
    error = math.sqrt(max(total, 1 / math.exp(centre)) + total / 25)
    reach = 2.0639  # Student's t of 24 degrees of freedom, 97.5%
    assert row["expected_high"] == pytest.approx(math.exp(centre + reach * error), rel=1e-3)
    assert row["p_value"] < 0.001
    assert row["expected_false_alarms"] == pytest.approx(0.025)
    assert "50 plays" in row["interpretation"]


@pytest.mark.parametrize(("lacks", "found"), [(False, 1), (True, 0)])
def test_a_night_is_unusual_only_on_a_clock_that_is_known(spark: SparkSession, lacks: bool, found: int) -> None:
    """50 days with a session from 10 h, then one of twelve sessions from 2 h: a session is at night as a whole."""
    nightly = [
        row | {"play_id": f"n{i}", "session_id": f"n{i}"}
        for i, row in enumerate(play(i, f"2024-02-20 02:{i:02d}:00") for i in range(12))
    ]
    plays = [row | {"lacks_timezone": lacks} for row in [*history(50), *nightly]]
    rows = [row for row in run(spark, plays) if row["measure"] == "night_share"]
    assert [(row["at"], row["observed"], row["grain"]) for row in rows] == [(dt.datetime(2024, 2, 20), 1.0, "day")] * found


def test_what_comes_later_changes_nothing(spark: SparkSession) -> None:
    plays = history(60) + day(60, 70, valence=0.9, is_skip=True) + day(61, 9)
    later = [row for number in range(62, 90) for row in day(number, 80 if number % 2 else 3, valence=0.1)]
    before = run(spark, plays)
    assert before
    ended = dt.datetime(2024, 1, 1) + dt.timedelta(days=62)
    shuffled = random.Random(2).sample([*plays, *later], len(plays) + len(later))  # noqa: S311
    after = [row for row in run(spark, shuffled) if row["at"] < ended]
    of_weeks = {(row["at"], row["measure"]) for row in before if row["grain"] == "week"}
    kept = [row for row in after if row["grain"] != "week" or (row["at"], row["measure"]) in of_weeks]
    assert kept == before


def test_hearing_the_same_album_again_is_no_news(spark: SparkSession) -> None:
    """The sums of 0.1 + 0.2 + 0.3 and of 0.3 + 0.2 + 0.1 differ in the last digit, which must not decide."""

    def album(number: int, order: tuple[float, ...]) -> list[dict[str, Any]]:
        rows = day(number, len(order))
        return [row | {"valence": value} for row, value in zip(rows, order, strict=True)]

    def days_found(first: tuple[float, ...] | None, second: tuple[float, ...]) -> list[dt.datetime]:
        usual = [row | {"valence": 0.5 + 0.01 * (i % 7)} for i, row in enumerate(history(30))]
        heard = [row for row in usual if first is None or not row["play_id"].startswith("d010")]
        rows = run(spark, heard + (album(10, first) if first else []) + album(30, second))
        return [row["at"] for row in rows if (row["grain"], row["measure"]) == ("day", "valence")]

    assert days_found(None, (0.3, 0.2, 0.1)) == [dt.datetime(2024, 1, 31)], "the first time is news"
    for first, second in itertools.permutations(((0.1, 0.2, 0.3), (0.3, 0.2, 0.1))):
        assert days_found(first, second) == []


def test_short_histories_and_nothing(spark: SparkSession) -> None:
    assert run(spark, []) == []
    assert run(spark, day(0, 1)) == []
    assert run(spark, history(19) + day(19, 90)) == [], "19 days are no past"
    bare = [row | {"valence": None, "energy": None, "ms_played": None, "artist_key": None} for row in history(30)]
    assert run(spark, bare) == []


def test_listeners_do_not_matter_to_each_other(spark: SparkSession) -> None:
    mine = history(40) + day(40, 60)
    theirs = [row | {"user_id": "you", "session_id": "y" + row["session_id"]} for row in history(60, seed=5)]
    assert [row for row in run(spark, [*theirs, *mine]) if row["user_id"] == "me"] == run(spark, mine)
