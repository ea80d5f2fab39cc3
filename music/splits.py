"""Temporal splits: what models learn from lies before what they are judged on; never a random draw of rows.

Per listener, the first 60% of the time between the first and the last play trains, the next 20% validates, the last 20% tests.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from music.populations import population

TRAIN, VALIDATION, TEST = "train", "validation", "test"
VALIDATION_FROM, TEST_FROM = 0.6, 0.8
WINDOWS = {VALIDATION: VALIDATION_FROM, TEST: TEST_FROM}
"""From which share of a listener's time each window begins; a model for a window learns from what lies before it."""
EVERYTHING = "all"
LISTENS_BEFORE = (0.64, 0.8)
"""Where a population is split at one moment for all: shares of its listens before the validation and the test window."""


def elapsed_share(at: Column, first: Column, last: Column) -> Column:
    """How much of a listener's time, from first to last, has gone by at `at` (0-1); 0 where there is only one moment."""
    span = (F.unix_micros(last) - F.unix_micros(first)).cast("double")
    gone = (F.unix_micros(at) - F.unix_micros(first)).cast("double")
    return F.coalesce(gone / F.nullif(span, F.lit(0.0)), F.lit(0.0))


def moment_at(share: float) -> Column:
    """The first moment at which that share of the time from first_played_at to last_played_at has gone by."""
    first, last = F.unix_micros("first_played_at"), F.unix_micros("last_played_at")
    return F.timestamp_micros((first + F.ceil((last - first).cast("double") * F.lit(share))).cast("bigint"))


def splits_of(elapsed: NDArray[np.float64]) -> dict[str, NDArray[np.bool_]]:
    """Which rows train, validate and test, by the share of the listener's time that has gone by."""
    return {
        TRAIN: elapsed < VALIDATION_FROM,
        VALIDATION: (elapsed >= VALIDATION_FROM) & (elapsed < TEST_FROM),
        TEST: elapsed >= TEST_FROM,
    }


def windowed(plays: DataFrame, users: DataFrame) -> DataFrame:
    """Add `population`, and `window`: validation from 60% to 80% of the listener's time, test from then on, else null.

    A listener with a single moment is in the test window, unlike in elapsed_share.
    """
    first, last = F.unix_micros("first_played_at"), F.unix_micros("last_played_at")
    starts = users.select(
        "user_id",
        population(F.col("is_synthetic")).alias("population"),
        *[(first + F.lit(share) * (last - first)).alias(f"{name}_from") for name, share in WINDOWS.items()],
    )
    at = F.unix_micros("played_at")
    window = F.when(at >= F.col("test_from"), TEST).when(at >= F.col("validation_from"), VALIDATION)
    joined = plays.join(F.broadcast(starts), on="user_id", how="inner")
    return joined.withColumn("window", window).drop(*[f"{name}_from" for name in WINDOWS])


def before_window(windowed_plays: DataFrame, population_name: str, window: str) -> DataFrame:
    """A population's plays before a window; all of them before EVERYTHING."""
    plays = windowed_plays.where(F.col("population") == population_name)
    if window == EVERYTHING:
        return plays
    return plays.where(F.col("window").isNull() | ((F.col("window") == VALIDATION) & F.lit(window == TEST)))
