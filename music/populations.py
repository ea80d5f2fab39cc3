"""Real and synthetic listeners are two populations: what is learned from one says nothing of the other.

Three marks of a synthetic listener agree by construction: the source of synthetic plays writes their kind and an id with
SYNTHETIC_PREFIX, every other source and the settings refuse such an id, and silver.users derives `is_synthetic` from the kind.
"""

from __future__ import annotations

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

REAL, SYNTHETIC = "real", "synthetic"
POPULATIONS = (REAL, SYNTHETIC)
CATALOGUE = "catalogue"
"""In the place of a population: the catalogue's tracks, where a model is scored without listeners."""
SYNTHETIC_PREFIX = "synthetic:"
SYNTHETIC_KIND = "synthetic"
"""The source kind of generated plays."""


def is_synthetic_id(user_id: str) -> bool:
    """Whether the id is a synthetic listener's."""
    return user_id.startswith(SYNTHETIC_PREFIX)


def is_synthetic_play() -> Column:
    """Whether a play is a synthetic listener's, who has no plays of any other kind; from source_kind."""
    return F.col("source_kind") == SYNTHETIC_KIND


def population(is_synthetic: Column) -> Column:
    """real or synthetic, from the flag of silver.users."""
    return F.when(is_synthetic, F.lit(SYNTHETIC)).otherwise(F.lit(REAL))


def population_by_id() -> Column:
    """real or synthetic, from user_id; for rows that silver.users is not joined to."""
    return population(F.col("user_id").startswith(SYNTHETIC_PREFIX))


def populations(users: DataFrame) -> list[str]:
    """Which populations have listeners, in the order of POPULATIONS."""
    flags = {row["is_synthetic"] for row in users.select("is_synthetic").distinct().collect()}
    return [name for name in POPULATIONS if (name == SYNTHETIC) in flags]


def listeners_in(users: DataFrame, name: str) -> DataFrame:
    """The rows of silver.users of one population."""
    return users.where(F.col("is_synthetic") == F.lit(name == SYNTHETIC))
