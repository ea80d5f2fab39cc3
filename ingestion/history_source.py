"""What a source of listening history states about its rows, so that silver can place plays in time and find duplicates.

Every fact has to be stated: a kind of source that a comparison left out would be counted twice without a word.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any, Literal, Protocol, get_args

from lakehouse.declare import DeclarationError, Source

Moment = Literal["start", "end"]
UNSTATED: Any = None


@dataclass(frozen=True, kw_only=True)
class SourceKind:
    """What all rows of one kind have in common. Sources that yield the same kind of rows share one SourceKind."""

    name: str = UNSTATED
    """Stands in bronze beside each row."""
    ts: Moment = UNSTATED
    """Which moment of a play `ts` is. Where it is the end, `ms_played` is required: the start is computed from both."""
    rank: int = UNSTATED
    """Order of richness, lowest first: of several records of one play, the richest is kept. No two kinds share a rank."""
    window_seconds: int = UNSTATED
    """How far `ts` may lie from the same play in a richer record; 0 if no other source can hold these plays."""
    compared_with: tuple[Moment, ...] = UNSTATED
    """The moments of a richer record that `ts` is compared with; both where a service may write either into `ts`."""
    repeat_seconds: int = UNSTATED
    """Two rows of one service and recording whose starts are nearer than this are one play; 0 if rows tell how long they are."""
    sources_overlap: bool = UNSTATED
    """Whether two sources of this kind record a play independently, as scrobbling services do, and are compared within the
    window; if not, they are formats of the same rows, and treated as one source."""


@dataclass(frozen=True)
class SourceFacts:
    """The facts of one source, as silver uses them."""

    source: str
    kinds: tuple[SourceKind, ...]
    rank_in_kind: int
    has_scrobbler_ts: bool


class HistorySource(Source, Protocol):
    """A source whose rows go to bronze.listening_history."""

    @property
    def kinds(self) -> tuple[SourceKind, ...]:
        """The kinds of rows it yields; one, unless it holds copies of another source's plays too."""

    @property
    def rank_in_kind(self) -> int:
        """Order of richness among the sources of its kinds, lowest first. No two sources of a kind share a rank."""

    @property
    def has_scrobbler_ts(self) -> bool:
        """Whether `ts` may also be Unix seconds or `03 Jan 2020 14:05`. If not, such a `ts` is treated as damaged."""


def facts_of(sources: Sequence[Source]) -> tuple[SourceFacts, ...]:
    """The facts of the sources, in their order. Raises DeclarationError for one that is missing, impossible or contradicted."""
    facts = tuple(_stated(source) for source in sources)
    for one in facts:
        for kind in one.kinds:
            _check_kind(one.source, kind)
    _check_agreement(facts)
    return facts


def kinds_of(facts: Sequence[SourceFacts]) -> list[SourceKind]:
    """The kinds of the sources, richest first."""
    return sorted({kind for one in facts for kind in one.kinds}, key=lambda kind: kind.rank)


def _stated(source: Source) -> SourceFacts:
    names = [field.name for field in fields(SourceFacts) if field.name != "source"]
    values = {name: getattr(source, name, UNSTATED) for name in names}
    if missing := [name for name, value in values.items() if value is UNSTATED]:
        raise DeclarationError(f"source {source.name}: {missing[0]} is not stated")
    if not values["kinds"]:
        raise DeclarationError(f"source {source.name}: kinds is empty")
    return SourceFacts(source.name, **values)


def _check_kind(source: str, kind: SourceKind) -> None:
    prefix = f"source {source}: kind {kind.name or '?'}"
    if missing := [field.name for field in fields(kind) if getattr(kind, field.name) is UNSTATED]:
        raise DeclarationError(f"{prefix}: {missing[0]} is not stated")
    if impossible := {kind.ts, *kind.compared_with} - set(get_args(Moment)):
        raise DeclarationError(f"{prefix}: {sorted(impossible)[0]!r} is not one of {', '.join(get_args(Moment))}")
    if kind.window_seconds < 0 or (kind.window_seconds > 0) != bool(kind.compared_with):
        raise DeclarationError(f"{prefix}: window_seconds and compared_with must both be given, or be 0 and empty")


def _check_agreement(facts: Sequence[SourceFacts]) -> None:
    """Raises DeclarationError where one kind has two meanings, or a rank would leave open which record is the richer."""
    stated_by: dict[str, tuple[str, SourceKind]] = {}
    for one in facts:
        for kind in one.kinds:
            other, stated = stated_by.setdefault(kind.name, (one.source, kind))
            for field in fields(kind):
                if getattr(kind, field.name) != getattr(stated, field.name):
                    raise DeclarationError(f"source {one.source}: kind {kind.name}: {field.name} differs from that of {other}")
    for rank, number in Counter(kind.rank for _, kind in stated_by.values()).items():
        if number > 1:
            names = [f"{name} (source {source})" for name, (source, kind) in stated_by.items() if kind.rank == rank]
            raise DeclarationError(f"kinds {' and '.join(names)} have the same rank {rank}")
    for name in stated_by:
        ranks = [(one.rank_in_kind, one.source) for one in facts if name in [kind.name for kind in one.kinds]]
        for rank, number in Counter(rank for rank, _ in ranks).items():
            if number > 1:
                sources = [source for other, source in ranks if other == rank]
                raise DeclarationError(f"sources {' and '.join(sources)} have the same rank_in_kind {rank} in kind {name}")
