"""A column of a declared table: its type, its meaning, and the values it may hold."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from lakehouse.declare.rules import Rule, Severity, at_least, between, is_in, not_null

NUMBERS = ("int", "bigint", "double")
TYPES = ("string", *NUMBERS, "boolean", "date", "timestamp", "array<string>", "array<double>")


class DeclarationError(Exception):
    """A table is declared wrongly; the message names the table and the mistake."""


@dataclass(frozen=True)
class Column:
    """One column: `type` is a Spark SQL type, `comment` gives meaning and unit and reaches Delta, Trino and the docs.

    `constraints` are the rules on the column's own values; a null violates none of them but not_null.
    """

    name: str
    type: str
    comment: str
    nullable: bool = True
    constraints: tuple[Rule, ...] = ()

    def unchecked(self) -> Column:
        """The same column without constraints: for a copy of values that the upstream table checks."""
        return replace(self, constraints=())


def column(
    name: str,
    type: str,
    comment: str,
    *,
    nullable: bool = True,
    between: tuple[float, float] | None = None,
    at_least: float | None = None,
    one_of: Sequence[Any] | None = None,
    not_null: bool = False,
    severity: Severity = "FAIL",
) -> Column:
    """Declare a column; key columns are never null.

    `between=(low, high)` and `at_least=low` include their limits, `one_of=values` lists what is accepted; `severity` is
    what a violation of them means. `nullable=False` is a NOT NULL column of the stored table, so a null always fails;
    `not_null=True` is a rule like the others, so it can be a WARN.

    Raises DeclarationError for a type that not every engine has, and for a constraint that is impossible, does not fit
    the type or says the same as another.
    """
    if type not in TYPES:
        raise DeclarationError(f"column {name}: type {type!r} is not one of {', '.join(TYPES)}")
    if not comment:
        raise DeclarationError(f"column {name} needs a comment")
    if not_null and not nullable:
        raise DeclarationError(f"column {name}: nullable=False already rejects nulls")
    if between is not None and at_least is not None:
        raise DeclarationError(f"column {name}: between already has a lower limit, so at_least is one too many")
    if (between is not None or at_least is not None) and type not in NUMBERS:
        raise DeclarationError(f"column {name}: between and at_least need a number, not {type}")
    if one_of is not None and type.startswith("array"):
        raise DeclarationError(f"column {name}: one_of needs a single value, not {type}")
    constraints = _constraints(name, between, at_least, one_of, not_null, severity)
    if severity != "FAIL" and not constraints:
        raise DeclarationError(f"column {name}: severity {severity} belongs to no constraint")
    return Column(name, type, comment, nullable, constraints)


def _constraints(
    name: str,
    limits: tuple[float, float] | None,
    low: float | None,
    accepted: Sequence[Any] | None,
    is_required: bool,
    severity: Severity,
) -> tuple[Rule, ...]:
    try:
        rules = [
            between(name, *limits, severity) if limits is not None else None,
            at_least(name, low, severity) if low is not None else None,
            is_in(name, accepted, severity) if accepted is not None else None,
            not_null(name, severity) if is_required else None,
        ]
    except ValueError as error:
        raise DeclarationError(f"column {name}: {error}") from error
    return tuple(rule for rule in rules if rule is not None)
