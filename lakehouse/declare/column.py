"""A column of a declared table: its type, meaning and whether it may be null."""

from __future__ import annotations

from dataclasses import dataclass

TYPES = ("string", "int", "bigint", "double", "boolean", "date", "timestamp", "array<string>", "array<double>")


class DeclarationError(Exception):
    """A table is declared wrongly; the message names the table and the mistake."""


@dataclass(frozen=True)
class Column:
    """One column: `type` is a Spark SQL type, `comment` gives meaning and unit and reaches Delta, Trino and the docs."""

    name: str
    type: str
    comment: str
    nullable: bool = True


def column(name: str, type: str, comment: str, *, nullable: bool = True) -> Column:
    """Declare a column; key columns are never null. Raises DeclarationError for a type that not every engine has."""
    if type not in TYPES:
        raise DeclarationError(f"column {name}: type {type!r} is not one of {', '.join(TYPES)}")
    if not comment:
        raise DeclarationError(f"column {name} needs a comment")
    return Column(name, type, comment, nullable)
