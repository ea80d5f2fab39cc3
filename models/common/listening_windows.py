"""The parts of each listener's time that models are trained, chosen and judged on, and who is judged together."""

from __future__ import annotations

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

REAL, SYNTHETIC = "real", "synthetic"
# From which share of a listener's time each window begins; a model for a window learns from what lies before it.
BEGINS = {"validation": 0.6, "test": 0.8}
EVERYTHING = "all"


def populations(users: DataFrame) -> list[str]:
    """Which of real and synthetic listeners there are."""
    found = {row["is_synthetic"] for row in users.select("is_synthetic").distinct().collect()}
    return [name for name, is_synthetic in ((REAL, False), (SYNTHETIC, True)) if is_synthetic in found]


def windowed(plays: DataFrame, users: DataFrame) -> DataFrame:
    """Add `population`, and `window`: validation from 60% to 80% of the listener's time, test from then on, else null."""
    first, last = F.unix_micros("first_played_at"), F.unix_micros("last_played_at")
    told = users.select(
        "user_id",
        F.when(F.col("is_synthetic"), SYNTHETIC).otherwise(REAL).alias("population"),
        *[(first + F.lit(share) * (last - first)).alias(f"{name}_from") for name, share in BEGINS.items()],
    )
    at = F.unix_micros("played_at")
    window = F.when(at >= F.col("test_from"), "test").when(at >= F.col("validation_from"), "validation")
    joined = plays.join(F.broadcast(told), on="user_id", how="inner")
    return joined.withColumn("window", window).drop(*[f"{name}_from" for name in BEGINS])


def of_population(windowed_plays: DataFrame, population: str, before: str) -> DataFrame:
    """A population's plays before a window; all of them before `all`."""
    plays = windowed_plays.where(F.col("population") == population)
    if before == EVERYTHING:
        return plays
    return plays.where(F.col("window").isNull() | ((F.col("window") == "validation") & F.lit(before == "test")))
