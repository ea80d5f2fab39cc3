"""Rules that tables of vectors declare."""

from __future__ import annotations

from collections.abc import Mapping

from pyspark.sql import Column
from pyspark.sql import functions as F

from lakehouse.declare import Rule, satisfies

TOLERANCE = 1e-9


def vector_rules(dimensions: Mapping[str, int]) -> list[Rule]:
    """Every vector has the dimensions of its `kind`, finite values, and length 1 to within TOLERANCE."""
    return [
        satisfies("vectors have their kind's dimensions", ["kind", "vector"], lambda: _sized(dimensions)),
        # A value that is no number, or infinite, makes the length so too.
        satisfies("vectors are finite and of unit length", ["vector"], lambda: F.abs(_length() - 1.0) <= TOLERANCE),
    ]


def _sized(dimensions: Mapping[str, int]) -> Column:
    wanted = F.lit(None).cast("int")
    for kind, size in dimensions.items():
        wanted = F.when(F.col("kind") == kind, F.lit(size)).otherwise(wanted)
    return F.size("vector") == wanted


def _length() -> Column:
    return F.sqrt(F.aggregate("vector", F.lit(0.0), lambda total, value: total + value * value))
