"""Real and synthetic listeners are two populations: what is learned from one says nothing of the other."""

from __future__ import annotations

from pyspark.sql import Column
from pyspark.sql import functions as F

REAL, SYNTHETIC = "real", "synthetic"
POPULATIONS = (REAL, SYNTHETIC)
# No other listener can have such an id: settings and sources refuse it.
SYNTHETIC_PREFIX = "synthetic:"


def population() -> Column:
    """The population of a row's listener, from user_id."""
    return F.when(F.col("user_id").startswith(SYNTHETIC_PREFIX), F.lit(SYNTHETIC)).otherwise(F.lit(REAL))
