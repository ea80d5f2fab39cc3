"""Listens that are in journals and that no run has brought into silver yet."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from collections.abc import Collection, Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

from music.envelopes import JOURNAL_LINE
from service.submissions.journal import OPEN, SUFFIX, place_of

RECEIVED_AT, LISTEN = JOURNAL_LINE
# As silver judges: what is older, or further ahead of the clock, is no play.
FIRST_SECOND, MOST_AHEAD = 1_136_073_600, 3600


class Listen(NamedTuple):
    """A listen as players are shown it."""

    listened_at: int
    """Unix seconds"""
    inserted_at: int
    """Unix seconds"""
    track_metadata: dict[str, Any]

    @property
    def key(self) -> tuple[int, str, str]:
        """Equal for a listen that was sent again."""
        track, artist = (str(self.track_metadata.get(name) or "").casefold() for name in ("track_name", "artist_name"))
        return self.listened_at, artist, track


def unread_listens(inbox: Path, listener: str, read: Collection[str]) -> Iterator[Listen]:
    """The listens of a listener's journals, but not of those whose file hash is in `read`; some of them twice, if sent twice.

    Journals of packed months are taken for read. Raises OSError.
    """
    for path in sorted(place_of(inbox, listener).folder.glob(f"*/*{SUFFIX}")):
        closed = path.with_name(path.name.removeprefix(OPEN))
        try:
            if path != closed or _hash(path, path.stat().st_mtime_ns) not in read:
                yield from _listens(path)
        except FileNotFoundError:
            # One that was closed just now has its other name; one that was packed has none.
            if path != closed and closed.is_file():
                yield from _listens(closed)


@lru_cache(maxsize=4096)
def _hash(path: Path, modified_ns: int) -> str:
    """A closed journal never changes."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _listens(path: Path) -> Iterator[Listen]:
    with path.open("rb") as stream:
        stream.readline()
        for line in stream:
            if not line.endswith(b"\n"):
                # It is being written.
                return
            document = json.loads(line)
            listen, received = document[LISTEN], int(dt.datetime.fromisoformat(document[RECEIVED_AT]).timestamp())
            at = listen.get("listened_at") if listen else None
            if isinstance(at, int) and FIRST_SECOND <= at <= received + MOST_AHEAD:
                yield Listen(at, received, listen["track_metadata"])
