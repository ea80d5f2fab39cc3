"""Gaps as rows of ops.gaps: those that accounts tell of, those that were told before, and what covers them.

A gap is closed once something that lists every play of its time has been read: an export of the source's own service, or
another reading of the source. It then stays closed, as the rows of a file stay when it vanishes.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from polling.state import AccountState

# A play that ends a gap stands in an export by its end to the second, or its start; Spotify tells of plays of 30 s or more, so
# none is missing within them.
TOLERANCE = dt.timedelta(seconds=30)
Row = dict[str, Any]


@dataclass(frozen=True)
class Covered:
    """A time of which every play of a listener at a source has been read."""

    source: str
    """the live source whose gaps it closes"""
    user_id: str
    start: dt.datetime
    end: dt.datetime
    by: str
    """what was read, for people"""
    account_id: str | None = None
    """None: any account of the listener"""

    def encloses(self, gap: Mapping[str, Any]) -> bool:
        """Whether every play of the gap's time has been read."""
        is_its = (self.source, self.user_id) == (gap["source"], gap["user_id"]) and self.account_id in (None, gap["account_id"])
        return is_its and self.start - TOLERANCE <= gap["gap_from"] and gap["gap_to"] <= self.end + TOLERANCE


def known_gaps(stored: Iterable[Row], states: Iterable[AccountState]) -> list[Row]:
    """The rows of ops.gaps with those gaps that states tell of since; a state that was made anew has forgotten its own."""
    rows = {_key(row): row for row in stored}
    for state in states:
        for gap in state.gaps:
            row = {
                "source": state.source,
                "account_id": state.account_id,
                "gap_from": gap.start,
                "user_id": state.listener,
                "gap_to": gap.end,
                "found_at": gap.found_at,
                "is_open": True,
                "closed_at": None,
                "closed_by": None,
            }
            rows.setdefault(_key(row), row)
    return list(rows.values())


def open_gaps(gaps: Iterable[Row]) -> list[Row]:
    """The gaps that nothing covers yet, by listener and time."""
    return sorted((gap for gap in gaps if gap["is_open"]), key=lambda gap: (str(gap["user_id"]), *_key(gap)))


def closed(gaps: Sequence[Row], covered: Sequence[Covered], now: dt.datetime) -> list[Row]:
    """The gaps, those closed that something covers."""
    return [_closed(gap, covered, now) if gap["is_open"] else gap for gap in gaps]


def _closed(gap: Row, covered: Iterable[Covered], now: dt.datetime) -> Row:
    by = next((one.by for one in covered if one.encloses(gap)), None)
    return gap if by is None else gap | {"is_open": False, "closed_at": now, "closed_by": by}


def _key(gap: Mapping[str, Any]) -> tuple[Any, ...]:
    return gap["source"], gap["account_id"], gap["gap_from"]
