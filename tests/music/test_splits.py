"""Temporal splits follow each listener's time and share nothing."""

from __future__ import annotations

import datetime as dt

import numpy as np
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from music.splits import EVERYTHING, TEST, VALIDATION, before_window, elapsed_share, moment_at, splits_of, windowed


def test_splits_follow_time_and_share_nothing() -> None:
    split = splits_of(np.array([0.0, 0.59, 0.6, 0.79, 0.8, 1.0]))
    assert {part: members.tolist() for part, members in split.items()} == {
        "train": [True, True, False, False, False, False],
        "validation": [False, False, True, True, False, False],
        "test": [False, False, False, False, True, True],
    }


def test_elapsed_share_of_a_listeners_time(spark: SparkSession) -> None:
    first, last = dt.datetime(2024, 1, 1), dt.datetime(2024, 1, 11)
    rows = [(first, first, last), (dt.datetime(2024, 1, 9), first, last), (last, first, last), (first, first, first)]
    frame = spark.createDataFrame(rows, "at timestamp, first timestamp, last timestamp")
    shares = frame.select(elapsed_share(F.col("at"), F.col("first"), F.col("last")).alias("share")).collect()
    assert [row.share for row in shares] == [0.0, 0.8, 1.0, 0.0], "one moment is no time to test on"


def test_windows_begin_at_the_same_shares_and_models_see_only_what_lies_before(spark: SparkSession) -> None:
    first = dt.datetime(2024, 1, 1)
    users = spark.createDataFrame(
        [("a", False, first, first + dt.timedelta(days=10)), ("synthetic:1", True, first, first + dt.timedelta(days=10))],
        "user_id string, is_synthetic boolean, first_played_at timestamp, last_played_at timestamp",
    )
    days = [0, 5, 6, 7, 8, 10]
    plays = spark.createDataFrame(
        [(user, first + dt.timedelta(days=day), day) for user in ("a", "synthetic:1") for day in days],
        "user_id string, played_at timestamp, day int",
    )
    with_windows = windowed(plays, users)
    rows = with_windows.where("user_id = 'a'").orderBy("day").collect()
    assert [row.window for row in rows] == [None, None, VALIDATION, VALIDATION, TEST, TEST]
    assert {row.population for row in rows} == {"real"}
    seen = {
        window: [row.day for row in before_window(with_windows, "synthetic", window).orderBy("day").collect()]
        for window in (VALIDATION, TEST, EVERYTHING)
    }
    assert seen == {VALIDATION: [0, 5], TEST: [0, 5, 6, 7], EVERYTHING: days}
    moments = users.select(moment_at(0.8).alias("at")).distinct().collect()
    assert [row["at"] for row in moments] == [first + dt.timedelta(days=8)]
