"""Figures that tie up to the last bits of a sum: ranked by name, the first chosen, thresholds reached."""

from __future__ import annotations

import random
from typing import Any

from pyspark.sql import SparkSession

import silver.catalogue
import silver.listening_with_features  # noqa: F401
from gold.cognitive.mood_state_clusters import DAYS, _with_peak_day
from gold.diagnostic.part_of_day_drivers import part_of_day_drivers
from tests.frames import collect, frame, play
from tests.silver.rows import artists_of


def test_features_of_equal_effects_are_drivers_in_the_order_of_their_names(spark: SparkSession) -> None:
    """Acousticness and energy take the same values in another order, on the same date, for each of twenty listeners."""
    draw = random.Random(3)  # noqa: S311
    plays: list[dict[str, Any]] = []
    for listener in range(20):
        for date in range(1, 7):
            for hour in (8, 14):
                values = [draw.random() * (0.5 if hour == 8 else 1.0) for _ in range(11)]
                others = draw.sample(values, len(values))
                for minute, (one, other) in enumerate(zip(values, others, strict=True)):
                    changes = {"user_id": f"u{listener:02d}", "acousticness": one, "energy": other}
                    plays.append(play(len(plays), f"2024-01-0{date} {hour:02d}:{minute * 5:02d}:00", **changes))
    drivers = collect("gold.part_of_day_drivers", part_of_day_drivers(frame(spark, "silver.listening_with_features", plays)))
    ranks = {(row["user_id"], row["part_of_day"], row["feature_name"]): row["driver_rank"] for row in drivers}
    pairs = [(rank, ranks[user, part, "energy"]) for (user, part, name), rank in ranks.items() if name == "acousticness"]
    assert pairs == [(1, 2)] * 40


def test_the_peak_day_of_equal_means_is_the_first(spark: SparkSession) -> None:
    """Monday: a share of .2 on one date; Tuesday: .1, .2 and .3 on three, which sum to .6 and one bit."""
    shares = {day: [0.0] for day in range(1, DAYS + 1)} | {1: [0.2], 2: [0.1, 0.2, 0.3]}
    assert sum(shares[2]) / 3 > 0.2
    row = {f"s_{day}": sum(values) for day, values in shares.items()}
    row |= {f"q_{day}": sum(value * value for value in values) for day, values in shares.items()}
    states = spark.createDataFrame([row | {f"n_{day}": len(values) for day, values in shares.items()}])
    assert [found["peak"] for found in _with_peak_day(states).collect()] == [1]


def test_the_mean_of_tracks_at_a_threshold_is_at_it(spark: SparkSession) -> None:
    """A mean valence below .4 is sad; six of .4 sum to a bit less than 2.4."""
    assert (0.4 + 0.4 + 0.4 + 0.4 + 0.4 + 0.4) / 6 < 0.4
    named = {"artists": ["Artist"], "genres": ["rock"], "valence": 0.4}
    tracks = [{"track_id": f"t{number}", "track_name": f"Title {number}", **named} for number in range(6)]
    rows = collect("silver.catalogue_artists", artists_of(spark, frame(spark, "silver.catalogue", tracks)))
    assert [row["valence"] for row in rows] == [0.4]
