"""Quality rules: frozen, validated objects that a table declares and the kernel evaluates on what was written.

A row rule compiles to a boolean Column that is true for a violating row; a table rule compares the whole result with
its key, another table, the clock or the previous version.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from pyspark.sql import Column
from pyspark.sql import functions as F

Severity = Literal["WARN", "FAIL"]


@dataclass(frozen=True)
class Rule:
    """A rule of one table.

    `violates` builds the violation Column of a row rule; table rules leave it None and are evaluated by `kind`:
    unique (key), foreign_key (`reference`: table, column), fresh (`limit`: days; `among`: the rows
    judged, as a SQL condition), row_count (`limit`: share that may go).
    """

    name: str
    kind: Literal["row", "unique", "foreign_key", "fresh", "row_count"]
    columns: tuple[str, ...]
    severity: Severity = "FAIL"
    violates: Callable[[], Column] | None = None
    reference: tuple[str, str] | None = None
    limit: float | None = None
    among: str = "true"

    def __post_init__(self) -> None:
        if self.severity not in ("WARN", "FAIL"):
            raise ValueError(f"rule {self.name}: severity is WARN or FAIL, not {self.severity!r}")
        if (self.kind == "row") != (self.violates is not None):
            raise ValueError(f"rule {self.name}: a row rule, and only a row rule, has a predicate")


def not_null(name: str, severity: Severity = "FAIL") -> Rule:
    """Every row has a value in the column."""
    return Rule(f"not_null({name})", "row", (name,), severity, lambda: F.col(name).isNull())


def is_in(name: str, values: Sequence[Any], severity: Severity = "FAIL") -> Rule:
    """The column is null or one of `values`."""
    if not values:
        raise ValueError(f"is_in({name}) needs at least one value")
    accepted = list(values)
    return Rule(f"is_in({name})", "row", (name,), severity, lambda: F.col(name).isNotNull() & ~F.col(name).isin(accepted))


def between(name: str, low: float, high: float, severity: Severity = "FAIL") -> Rule:
    """The column is null or within [low, high]; NaN is outside."""
    if low > high:
        raise ValueError(f"between({name}): {low} > {high}")
    return Rule(
        f"between({name},{low:g},{high:g})",
        "row",
        (name,),
        severity,
        lambda: ~F.col(name).cast("double").between(low, high),
    )


def at_least(name: str, low: float, severity: Severity = "FAIL") -> Rule:
    """The column is null or at least `low`."""
    return Rule(f"at_least({name},{low:g})", "row", (name,), severity, lambda: F.col(name) < low)


def satisfies(name: str, columns: Sequence[str], predicate: Callable[[], Column], severity: Severity = "FAIL") -> Rule:
    """Every row makes `predicate` true; null counts as a violation."""
    return Rule(name, "row", tuple(columns), severity, lambda: ~F.coalesce(predicate(), F.lit(False)))


def unique(*columns: str, severity: Severity = "FAIL") -> Rule:
    """No two rows share the columns' values."""
    return Rule(f"unique({','.join(columns)})", "unique", columns, severity)


def foreign_key(name: str, table: str, column: str, severity: Severity = "FAIL") -> Rule:
    """Every non-null value stands in `column` of `table` (a declared upstream, by its full name)."""
    return Rule(f"foreign_key({name}->{table}.{column})", "foreign_key", (name,), severity, reference=(table, column))


def fresh(name: str, days: float, severity: Severity = "WARN", *, among: str = "true") -> Rule:
    """The newest timestamp, of the rows that `among` holds for, is at most `days` older than the start of the run."""
    return Rule(f"fresh({name},{days:g}d)", "fresh", (name,), severity, limit=days, among=among)


def row_count(max_drop: float, severity: Severity = "WARN") -> Rule:
    """The table loses at most the share `max_drop` (0-1) of the rows of the previous version."""
    if not 0 <= max_drop <= 1:
        raise ValueError("row_count: max_drop is a share, 0-1")
    return Rule(f"row_count(-{max_drop:.0%})", "row_count", (), severity, limit=max_drop)
