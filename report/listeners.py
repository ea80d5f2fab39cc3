"""Who there is to report on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lakehouse.storage import delta
from music.populations import SYNTHETIC_KIND, is_synthetic_id


@dataclass(frozen=True)
class Listener:
    """A listener with plays; `timezone` is the one that hours and days are told in, None if nobody knows it (then UTC)."""

    name: str
    plays: int
    timezone: str | None
    is_synthetic: bool

    @property
    def utc(self) -> str:
        """What follows an hour of the listener: ` UTC` if their time zone is unknown, else nothing."""
        return "" if self.timezone else " UTC"


def listeners_of(root: Path) -> list[Listener]:
    """The listeners with at least one play, by plays, then name; none where silver.users is not built."""
    rows = delta.read_rows(root / "silver" / "users", ["user_id", "kept", "timezone", "timezone_source", "source_kinds"])
    found = [Listener(r["user_id"], r["kept"], _timezone(r), _is_synthetic(r["user_id"], r["source_kinds"])) for r in rows]
    return sorted((one for one in found if one.plays), key=lambda one: (-one.plays, one.name))


def most_played(found: Sequence[Listener]) -> Listener:
    """The real listener with most plays; a synthetic one only where there is no other."""
    return min(found, key=lambda one: (one.is_synthetic, -one.plays, one.name))


def _timezone(user: Mapping[str, Any]) -> str | None:
    # Tables of an older version do not say; there UTC stood for every unknown zone.
    is_unknown = user["timezone_source"] == "unknown" or (user["timezone_source"] is None and user["timezone"] == "UTC")
    return None if is_unknown else user["timezone"]


def _is_synthetic(name: str, source_kinds: Sequence[str]) -> bool:
    return is_synthetic_id(name) or list(source_kinds) == [SYNTHETIC_KIND]
