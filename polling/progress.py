"""How far a backfill has come: months of the calendar (UTC), the newest first, and in a month the next page."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from polling.answers import Position, Step

UTC = dt.timezone.utc
FIRST_MONTH = "1970-01"


@dataclass(frozen=True)
class Progress:
    """A walk back in time. The state of an account holds it as JSON, with the same names."""

    upper: dt.datetime
    """what is at this time or later was received by polls; it never changes during a walk"""
    month: str
    """the month being read, like 2026-11; those after it, up to `upper`, are done"""
    position: Position | None = None
    """the next page of that month; None for its first"""
    months: Mapping[str, int] = field(default_factory=dict)
    """new plays by month, the newest first; months that hold none are left out"""
    is_complete: bool = False
    """nothing older is left to read"""
    has_all: bool = False
    """the source has nothing older than that month"""

    @staticmethod
    def begin(upper: dt.datetime) -> Progress:
        """A walk that has read nothing."""
        return Progress(upper, month_of(upper - dt.timedelta(microseconds=1)))

    @property
    def plays(self) -> int:
        """New plays so far."""
        return sum(self.months.values())

    def read_from(self) -> dt.datetime:
        """From here on up to `upper` everything was read."""
        return dt.datetime.min.replace(tzinfo=UTC) if self.has_all else end_of(self.month)

    def bounds(self) -> tuple[dt.datetime, dt.datetime]:
        """Of the month being read: start, and the moment it ends before."""
        return start_of(self.month), min(end_of(self.month), self.upper)

    def after(self, step: Step, new_plays: int) -> Progress:
        """When a page with so many new plays is in the inbox."""
        count = self.months.get(self.month, 0) + new_plays
        months = {**self.months, self.month: count} if count else self.months
        if step.rest is not None:
            return replace(self, months=months, position=step.rest)
        if step.is_end or self.month <= FIRST_MONTH:
            return replace(self, months=months, position=None, is_complete=True, has_all=True)
        older = None if step.older is None else dt.datetime.fromtimestamp(step.older, UTC)
        month = month_before(self.month) if older is None else month_of(older)
        return replace(self, months=months, position=None, month=month)


def month_of(moment: dt.datetime) -> str:
    """Like 2026-11."""
    return f"{moment.astimezone(UTC):%Y-%m}"


def start_of(month: str) -> dt.datetime:
    """Raises ValueError for what is no month like 2026-11."""
    if len(month) != len(FIRST_MONTH):
        raise ValueError(f"{month!r} is not a month like 2026-11")
    return dt.datetime.strptime(month, "%Y-%m").replace(tzinfo=UTC)


def end_of(month: str) -> dt.datetime:
    """The start of the month after it."""
    return (start_of(month) + dt.timedelta(days=32)).replace(day=1)


def month_before(month: str) -> str:
    """The month before it."""
    return month_of(start_of(month) - dt.timedelta(days=1))


def to_document(progress: Progress | None) -> dict[str, Any] | None:
    """As JSON."""
    if progress is None:
        return None
    return {
        "upper": progress.upper.isoformat(),
        "month": progress.month,
        "position": progress.position and vars(progress.position),
        "months": dict(progress.months),
        "is_complete": progress.is_complete,
        "has_all": progress.has_all,
    }


def from_document(document: Any) -> Progress | None:
    """Raises KeyError, TypeError and ValueError for what is none."""
    if document is None:
        return None
    position = document["position"]
    start_of(document["month"])
    return Progress(
        dt.datetime.fromisoformat(document["upper"]),
        document["month"],
        Position(**position) if position is not None else None,
        dict(document["months"]),
        document["is_complete"],
        document.get("has_all", False),
    )
