"""Columns derived from the facts that sources state: comparisons with constants, so that no lookup needs a join."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import reduce
from operator import or_
from typing import Any

from pyspark.sql import Column
from pyspark.sql import functions as F

from bronze.source_facts import SourceFacts, SourceKind, kinds_of


def is_declared(facts: Sequence[SourceFacts]) -> Column:
    """Whether a source yields rows of this kind."""
    return reduce(or_, [_is_of(one.source, one.kinds) for one in facts])


def is_of_kind(facts: Sequence[SourceFacts], condition: Callable[[SourceKind], bool]) -> Column:
    """Whether the row is of a kind that meets the condition."""
    return F.col("source_kind").isin([kind.name for kind in kinds_of(facts) if condition(kind)])


def is_of_source(facts: Sequence[SourceFacts], condition: Callable[[SourceFacts], bool]) -> Column:
    """Whether the row is from a source that meets the condition."""
    return F.col("source").isin([one.source for one in facts if condition(one)])


def by_value(column: str, values: Mapping[str, Any]) -> Column:
    """The value assigned to the column's value; comparisons are many times cheaper than a map lookup for every row."""
    return _first_of([(F.col(column) == key, value) for key, value in values.items()])


def by_kind(facts: Sequence[SourceFacts], fact: Callable[[SourceKind], Any]) -> Column:
    """A fact of the row's kind."""
    return by_value("source_kind", {kind.name: fact(kind) for kind in kinds_of(facts)})


def window_seconds(facts: Sequence[SourceFacts]) -> Column:
    """How far the row's time may lie from that of the same play in a richer record."""
    return by_kind(facts, lambda kind: kind.window_seconds)


def format_order(facts: Sequence[SourceFacts]) -> Column:
    """Text that sorts the sources of a kind, the richest first."""
    ordered = sorted(facts, key=lambda one: (one.rank_in_kind, one.source))
    return by_value("source", {one.source: f"{position:04d}" for position, one in enumerate(ordered)})


def richness(facts: Sequence[SourceFacts]) -> Column:
    """Order of a record, 0 the richest: by kind and, where the sources of a kind overlap, by source."""
    places: list[Column] = []
    for kind in kinds_of(facts):
        of_kind = sorted((one for one in facts if kind in one.kinds), key=lambda one: one.rank_in_kind)
        places += [_is_of(one.source, [kind]) for one in of_kind] if kind.sources_overlap else [_is_kind(kind)]
    return _first_of([(place, position) for position, place in enumerate(places)])


def _is_kind(kind: SourceKind) -> Column:
    return F.col("source_kind") == kind.name


def _is_of(source: str, kinds: Sequence[SourceKind]) -> Column:
    return (F.col("source") == source) & reduce(or_, [_is_kind(kind) for kind in kinds])


def _first_of(cases: Sequence[tuple[Column, Any]]) -> Column:
    return reduce(lambda chain, case: chain.when(*case), cases[1:], F.when(*cases[0]))
