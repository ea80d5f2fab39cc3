"""What differs between the rows that were computed and those they replace, in the keys of the table's scope."""

from __future__ import annotations

from collections.abc import Mapping

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from lakehouse.build.batched_aggregates import Figures, question
from lakehouse.declare.table import Table
from lakehouse.storage.changes import EVERYTHING, NOTHING, Change

# Beyond this many keys a whole rebuild is cheaper than a predicate that lists them.
MAX_KEYS = 1000
# Sums of doubles differ in their last digits with the order of addition; that is no change of content.
ROUND_DIGITS = 9


def counted(rows: DataFrame, by: str | None) -> DataFrame:
    """Question: how many rows, per scope key where `by` names one."""
    return question(rows, [F.count("*")], F.col(by) if by else None)


def digested(rows: DataFrame, declared: Table, by: str | None) -> DataFrame:
    """Question: how many rows, and the sums of both halves of their hashes (lineage left out), per scope key or in all."""
    return question(_hashed(rows, declared, by), _digest(), F.col("scope") if by else None)


def _hashed(rows: DataFrame, declared: Table, by: str | None) -> DataFrame:
    compared = [_comparable(c.name, c.type) for c in declared.columns if not c.name.startswith("_")]
    scope = F.col(by) if by else F.lit(None).cast("string")
    return rows.select(scope.alias("scope"), F.xxhash64(*compared).alias("hash"))


def missing_from(others: DataFrame, rows: DataFrame, declared: Table) -> DataFrame:
    """The rows, whole, that have no equal among `others`; lineage is not compared."""
    content = F.xxhash64(*[_comparable(c.name, c.type) for c in declared.columns if not c.name.startswith("_")])
    by = [str(declared.scope_column), "_content"]
    other_contents = others.withColumn("_content", content).select(*by)
    return rows.withColumn("_content", content).join(other_contents, on=by, how="left_anti").drop("_content")


def _comparable(name: str, kind: str) -> Column:
    if kind == "array<double>":
        return F.transform(name, lambda value: F.round(value, ROUND_DIGITS))
    return F.round(F.col(name), ROUND_DIGITS) if kind == "double" else F.col(name)


def _digest() -> list[Column]:
    return [F.count("*"), F.sum(F.col("hash").bitwiseAND(F.lit(0xFFFFFFFF))), F.sum(F.shiftright("hash", 32))]


def total(figures: Mapping[str | None, Figures]) -> int:
    """All rows of an answer."""
    return sum(counts[0] or 0 for counts in figures.values())


def differing(old: Mapping[str | None, Figures], new: Mapping[str | None, Figures]) -> set[str | None]:
    """Keys whose figures differ, or that one side lacks."""
    return {key for key in old.keys() | new.keys() if old.get(key) != new.get(key)}


def changed_keys(declared: Table, old: DataFrame, new: DataFrame, how: str = "full") -> Change:
    """The scope keys whose rows differ, compared inside the engine: there may be many; everything beyond MAX_KEYS.

    With how="inner" only keys that both sides have.
    """
    by = declared.scope_column
    if by is None:
        return EVERYTHING
    names = ("rows", "low", "high")
    sides = [
        _hashed(rows, declared, by)
        .groupBy("scope")
        .agg(*[figure.alias(f"{side}_{name}") for name, figure in zip(names, _digest(), strict=True)])
        for side, rows in (("old", old), ("new", new))
    ]
    equal = [F.col(f"old_{name}").eqNullSafe(F.col(f"new_{name}")) for name in names]
    joined = sides[0].join(sides[1], on="scope", how=how)
    differing_keys = joined.where(~(equal[0] & equal[1] & equal[2])).select("scope").limit(MAX_KEYS + 1).toArrow()
    keys = frozenset(differing_keys.column("scope").to_pylist())
    return EVERYTHING if len(keys) > MAX_KEYS else Change(keys) if keys else NOTHING
