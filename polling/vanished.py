"""Plays that were received, and that their source no longer has: it was deleted there, or edited, which gives it another key.

The plays stay in the inbox and in all tables. The state of an account lists them under `vanished`, the one noticed last at the
end, at most 5,000:

    {"key": "1795986245:9f86d081884c7d65",      as in `keys` of the poll file
     "played_at": "2026-11-29T21:04:05Z",
     "noticed_at": "2026-11-30T12:00:00Z",      the source's date
     "file": "00000012-20261129T211005Z.json.gz", name of the poll file that brought the play; it may be packed meanwhile
     "position": 3}                              of the play in that file's answer, one of `new`

Only of sources that answer with everything they have; Spotify's list is none of these. A play that a source tells of again is
taken off the list.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from music.envelopes import LASTFM_API, LISTENBRAINZ_API
from polling.inbox_files import poll_files
from polling.places import AccountPlace

WHOLE_SOURCES = (LASTFM_API, LISTENBRAINZ_API)
MOST_VANISHED = 5000
Keys = Mapping[str, dt.datetime | None]


@dataclass(frozen=True)
class Vanished:
    """One play that its source no longer has."""

    key: str
    played_at: dt.datetime
    noticed_at: dt.datetime
    file: str
    position: int


def noticed(
    place: AccountPlace, known: Keys, shown: Keys, listed: Iterable[Vanished], date: dt.datetime | None
) -> tuple[Vanished, ...]:
    """Known plays that a poll should have shown, without those that are `listed`. Raises EnvelopeError and OSError.

    Only what lies between the newest and the oldest play shown: the answer of a server that is behind lacks the newest ones, and
    of the oldest second it may show a part.
    """
    times = [played_at for played_at in shown.values() if played_at is not None]
    if place.source not in WHOLE_SOURCES or date is None or not times:
        return ()
    passed_over = {*shown, *(one.key for one in listed)}
    first, last = min(times), max(times)
    missing = {
        key: played_at
        for key, played_at in known.items()
        if played_at is not None and first < played_at < last and key not in passed_over
    }
    places = _places_of(place, missing) if missing else {}
    return tuple(Vanished(key, missing[key], date, *where) for key, where in places.items())


def still_missing(listed: Iterable[Vanished], shown: Collection[str], more: Iterable[Vanished]) -> tuple[Vanished, ...]:
    """The list without what the source shows again, and with what was noticed now."""
    return tuple([*(one for one in listed if one.key not in shown), *more][-MOST_VANISHED:])


def _places_of(place: AccountPlace, keys: Collection[str]) -> dict[str, tuple[str, int]]:
    """By key, the name of the file that brought it and its position there."""
    found: dict[str, tuple[str, int]] = {}
    with poll_files(place) as files:
        for file in files:
            head = file.head()
            found |= {key: (file.name, at) for key, at in zip(head.keys, head.new, strict=True) if key in keys}
            if len(found) == len(keys):
                break
    return found


def to_document(one: Vanished) -> dict[str, Any]:
    """As JSON."""
    return {**vars(one), "played_at": _text(one.played_at), "noticed_at": _text(one.noticed_at)}


def from_document(document: Mapping[str, Any]) -> Vanished:
    """Raises KeyError, TypeError and ValueError for what is none."""
    times = {name: dt.datetime.fromisoformat(document[name]) for name in ("played_at", "noticed_at")}
    return Vanished(key=document["key"], file=document["file"], position=document["position"], **times)


def _text(moment: dt.datetime) -> str:
    return moment.isoformat().replace("+00:00", "Z")
