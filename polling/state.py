"""What is known of an account between two polls: one JSON file beside its folder, replaced whole, under its own lock."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from filelock import FileLock, Timeout

from polling.answers import Item
from polling.envelope import Envelope, as_text, numbered, read_envelope
from polling.files import FILE_MODE, make_folder, write_file
from polling.places import AccountPlace

FORMAT = "listening-lakehouse/poll-state/1"
MOST_KEYS = 200
"""Four times what Spotify answers at once, and a page of Last.fm: what fills in late is still compared."""
CLOCK_SKEW = dt.timedelta(minutes=1)
"""The interval of a gap begins at the newest play: one from a clock that is ahead would hide what was missed before it."""
Keys = Mapping[str, dt.datetime | None]


class StateError(Exception):
    """A state file that cannot be read; the message says what to do."""


class BusyError(Exception):
    """Another process polls the account."""


@dataclass(frozen=True)
class Gap:
    """An interval in which plays may have been missed: a poll knew none of its items."""

    start: dt.datetime
    """of the last play that was known"""
    end: dt.datetime
    """of the oldest play of that poll"""
    found_at: dt.datetime


@dataclass(frozen=True)
class Refusal:
    """That a source refuses an account until a person does something."""

    since: dt.datetime
    last_try: dt.datetime
    tries: int
    reason: str
    remedy: str


@dataclass(frozen=True)
class Unconfirmed:
    """Plays in files of a poll that was cut off: they are not new, but others may be missing below them."""

    sequence: int
    """number of the last file"""
    keys: Keys = field(default_factory=dict)


@dataclass(frozen=True)
class AccountState:
    """What is known of an account."""

    source: str
    account_id: str
    listener: str
    sequence: int = 0
    """number of the last poll file whose keys are known here"""
    cursor: dt.datetime | None = None
    """time of the newest play that was received"""
    keys: Keys = field(default_factory=dict)
    """of the last 200 plays received, the newest first"""
    retry_at: dt.datetime | None = None
    """the source asked not to be called before"""
    retry_reason: str | None = None
    refusal: Refusal | None = None
    consent: dt.datetime | None = None
    """when a person last let the product read the account"""
    gaps: tuple[Gap, ...] = ()
    polled_at: dt.datetime | None = None
    """the source's date of the last poll that went well"""

    def horizon(self) -> dt.datetime | None:
        """What is older was received too, but its key is forgotten; None where no key is."""
        times = [played_at for played_at in self.keys.values() if played_at is not None]
        return min(times) if len(self.keys) >= MOST_KEYS and times else None

    def advanced(self, items: Sequence[Item], sequence: int, polled_at: dt.datetime | None) -> AccountState:
        """After a poll that went well; `items` are what it brought, the newest first."""
        keys = {item.key: item.played_at for item in items} | dict(self.keys)
        times = [self.cursor, *[item.played_at for item in items if is_past(item.played_at, polled_at)]]
        return replace(
            self,
            sequence=sequence,
            cursor=max((moment for moment in times if moment is not None), default=None),
            keys=dict(sorted(keys.items(), key=_newest_first)[:MOST_KEYS]),
            retry_at=None,
            retry_reason=None,
            refusal=None,
            polled_at=polled_at or self.polled_at,
        )

    def waiting(self, retry_at: dt.datetime, reason: str) -> AccountState:
        """After an answer that asks for a pause."""
        return replace(self, retry_at=retry_at, retry_reason=reason)

    def refused(self, now: dt.datetime, reason: str, remedy: str) -> AccountState:
        """After an answer that refuses the account."""
        before = self.refusal or Refusal(now, now, 0, reason, remedy)
        return replace(self, refusal=Refusal(before.since, now, before.tries + 1, reason, remedy))

    def connected(self, listener: str, consent: dt.datetime) -> AccountState:
        """After a person let the product read the account: whatever kept it from being polled is over."""
        return replace(self, listener=listener, consent=consent, refusal=None, retry_at=None, retry_reason=None)


def is_past(moment: dt.datetime | None, server_date: dt.datetime | None) -> bool:
    """Whether a play can have been at that time: one from a clock that runs ahead would hide all that come after it."""
    return moment is not None and (server_date is None or moment <= server_date + CLOCK_SKEW)


@contextmanager
def locked(place: AccountPlace) -> Iterator[None]:
    """Hold the account's lock, which no run needs. Raises BusyError where another process has it, and OSError."""
    make_folder(place.folder)
    try:
        with FileLock(place.lock, timeout=0, mode=FILE_MODE):
            yield
    except Timeout as error:
        raise BusyError("another process is polling this account") from error


def load_state(place: AccountPlace, listener: str) -> AccountState:
    """The account's state; one made from its poll files where there is none. Raises StateError, EnvelopeError and OSError."""
    try:
        text = place.state.read_bytes()
    except FileNotFoundError:
        return _from_files(place, listener)
    try:
        return replace(_from_document(json.loads(text)), listener=listener)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise StateError(f"{place.state} cannot be read: remove it, and the next poll makes it from the poll files") from error


def save_state(place: AccountPlace, state: AccountState) -> None:
    """Replace the account's state. Raises OSError; the old state stays then."""
    make_folder(place.state.parent)
    write_file(place.state, json.dumps(_document(state), indent=1).encode("ascii"))


def confirmed(place: AccountPlace, state: AccountState) -> tuple[AccountState, Unconfirmed]:
    """The state with the plays of a poll that was cut off after its last file, and those of one that was cut off before.

    Raises EnvelopeError and OSError.
    """
    files = [(number, read_envelope(path)) for number, path in numbered(place) if number > state.sequence]
    last = max((number for number, envelope in files if envelope.connects), default=state.sequence)
    rest = {number: envelope for number, envelope in files if number > last}
    unconfirmed = Unconfirmed(max(rest, default=last), _keys(rest.values()))
    if last == state.sequence:
        return state, unconfirmed
    whole = [envelope for number, envelope in files if number <= last]
    items = [Item(0, key, played_at) for key, played_at in _keys(whole).items()]
    moved = state.advanced(items, last, max(envelope.server_date for envelope in whole))
    # A wait or a refusal that is noted came later.
    noted = {name: getattr(state, name) for name in ("retry_at", "retry_reason", "refusal")}
    return replace(moved, **noted), unconfirmed


def _keys(envelopes: Iterable[Envelope]) -> Keys:
    return {key: played_at for envelope in envelopes for key, played_at in envelope.keys.items()}


def _from_files(place: AccountPlace, listener: str) -> AccountState:
    sequence, keys = 0, dict[str, dt.datetime | None]()
    for number, path in numbered(place):
        sequence = max(sequence, number)
        if len(keys) >= MOST_KEYS:
            break
        keys |= read_envelope(path).keys
    state = AccountState(place.source, place.account_id, listener)
    return state.advanced([Item(0, key, played_at) for key, played_at in keys.items()], sequence, None)


def _document(state: AccountState) -> dict[str, Any]:
    refusal = state.refusal
    return {
        "format": FORMAT,
        **{name: getattr(state, name) for name in ("source", "account_id", "listener", "sequence", "retry_reason")},
        **{name: _text(getattr(state, name)) for name in ("cursor", "retry_at", "consent", "polled_at")},
        "refusal": refusal and {**vars(refusal), "since": as_text(refusal.since), "last_try": as_text(refusal.last_try)},
        "gaps": [{name: as_text(value) for name, value in vars(gap).items()} for gap in state.gaps],
        "keys": {key: _text(played_at) for key, played_at in state.keys.items()},
    }


def _from_document(document: Mapping[str, Any]) -> AccountState:
    if document["format"] != FORMAT:
        raise ValueError(f"its format is {document['format']!r}")
    told = document["refusal"]
    times = {name: dt.datetime.fromisoformat(told[name]) for name in ("since", "last_try")} if told else {}
    moments: dict[str, Any] = {name: _moment(document[name]) for name in ("cursor", "retry_at", "consent", "polled_at")}
    return AccountState(
        **{name: document[name] for name in ("source", "account_id", "listener", "sequence", "retry_reason")},
        **moments,
        refusal=Refusal(**{**told, **times}) if told else None,
        gaps=tuple(Gap(**{name: dt.datetime.fromisoformat(text) for name, text in gap.items()}) for gap in document["gaps"]),
        keys={key: _moment(text) for key, text in document["keys"].items()},
    )


def _newest_first(entry: tuple[str, dt.datetime | None]) -> float:
    """Order of keys; a play without a time comes first, as nothing says that it is old."""
    return float("-inf") if entry[1] is None else -entry[1].timestamp()


def _text(moment: dt.datetime | None) -> str | None:
    return None if moment is None else as_text(moment)


def _moment(text: str | None) -> dt.datetime | None:
    return None if text is None else dt.datetime.fromisoformat(text)
