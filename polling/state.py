"""What is known of an account between two polls: one JSON file beside its folder, replaced whole, under its own lock."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from polling import progress as progress_json
from polling import vanished as vanished_json
from polling.answers import Item
from polling.envelope import Head, as_text
from polling.files import FILE_MODE, make_folder, write_file
from polling.inbox_files import last_number, loose_files, poll_files
from polling.places import AccountPlace
from polling.progress import Progress
from polling.vanished import Vanished

FORMAT = "listening-lakehouse/poll-state/1"
MOST_KEYS = 200
"""Four times what Spotify answers at once, and a page of Last.fm: what fills in late is still compared."""
MOMENTS = ("cursor", "retry_at", "consent", "polled_at", "reached", "failing_since")
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
    reached: dt.datetime | None = None
    """time of the oldest play of the first poll: what came after it, polls have received"""
    backfill_sequence: int = 0
    """number of the last backfill file that `backfill` or `comparison` counts"""
    backfill: Progress | None = None
    """of the plays before `reached`"""
    comparison: Progress | None = None
    """of all plays, compared once more with the source"""
    failing_since: dt.datetime | None = None
    """first poll in a row that did not go well, by the local clock"""
    failure: str | None = None
    """why the last one did not"""
    vanished: tuple[Vanished, ...] = ()
    """received plays that the source no longer has, see polling.vanished"""

    def horizon(self) -> dt.datetime | None:
        """What is older was received too, but its key is forgotten; None where no key is."""
        times = [played_at for played_at in self.keys.values() if played_at is not None]
        return min(times) if len(self.keys) >= MOST_KEYS and times else None

    def advanced(self, items: Sequence[Item], sequence: int, polled_at: dt.datetime | None) -> AccountState:
        """After a poll that went well; `items` are what it brought, the newest first."""
        keys = {item.key: item.played_at for item in items} | dict(self.keys)
        past = [item.played_at for item in items if item.played_at is not None and is_past(item.played_at, polled_at)]
        return replace(
            self,
            sequence=sequence,
            cursor=max([*past, *([] if self.cursor is None else [self.cursor])], default=None),
            reached=self.reached or (None if self.keys else min(past, default=None)),
            keys=dict(sorted(keys.items(), key=_newest_first)[:MOST_KEYS]),
            retry_at=None,
            retry_reason=None,
            refusal=None,
            failing_since=None,
            failure=None,
            polled_at=polled_at or self.polled_at,
        )

    def waiting(self, retry_at: dt.datetime, reason: str) -> AccountState:
        """After an answer that asks for a pause."""
        return replace(self, retry_at=retry_at, retry_reason=reason)

    def failed(self, now: dt.datetime, reason: str) -> AccountState:
        """After a poll that did not go well."""
        return replace(self, failing_since=self.failing_since or now, failure=reason)

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
        return replace(read_state(place.state), listener=listener)
    except FileNotFoundError:
        return _from_files(place, listener)


def read_state(path: Path) -> AccountState:
    """The state in a file. Raises StateError and OSError."""
    try:
        return _from_document(json.loads(path.read_bytes()))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise StateError(f"{path} cannot be read: remove it, and the next poll makes it from the poll files") from error


def save_state(place: AccountPlace, state: AccountState) -> None:
    """Replace the account's state. Raises OSError; the old state stays then."""
    make_folder(place.state.parent)
    write_file(place.state, json.dumps(_document(state), indent=1).encode("ascii"))


def confirmed(place: AccountPlace, state: AccountState) -> tuple[AccountState, Unconfirmed]:
    """The state with the plays of a poll that was cut off after its last file, and those of one that was cut off before.

    Raises EnvelopeError and OSError.
    """
    files = [(file.number, file.head()) for file in loose_files(place) if not file.is_backfill and file.number > state.sequence]
    last = max((number for number, head in files if head.connects), default=state.sequence)
    rest = {number: head for number, head in files if number > last}
    unconfirmed = Unconfirmed(max(rest, default=last), _keys(rest.values()))
    if last == state.sequence:
        return state, unconfirmed
    whole = [head for number, head in files if number <= last]
    items = [Item(0, key, played_at) for key, played_at in _keys(whole).items()]
    moved = state.advanced(items, last, max(head.server_date for head in whole))
    # A wait or a refusal that is noted came later.
    noted = {name: getattr(state, name) for name in ("retry_at", "retry_reason", "refusal")}
    return replace(moved, **noted), unconfirmed


def _keys(heads: Iterable[Head]) -> Keys:
    return {key: played_at for head in heads for key, played_at in head.keys.items()}


def _from_files(place: AccountPlace, listener: str) -> AccountState:
    """A backfill begins again then, and finds in the files which plays it has."""
    keys = dict[str, dt.datetime | None]()
    with poll_files(place) as files:
        sequence, backfill_sequence = (last_number(files, is_backfill=is_backfill) for is_backfill in (False, True))
        for file in files:
            if len(keys) >= MOST_KEYS:
                break
            if not file.is_backfill:
                keys |= file.head().keys
    state = AccountState(place.source, place.account_id, listener, backfill_sequence=backfill_sequence)
    return state.advanced([Item(0, key, played_at) for key, played_at in keys.items()], sequence, None)


def _document(state: AccountState) -> dict[str, Any]:
    refusal = state.refusal
    return {
        "format": FORMAT,
        **{name: getattr(state, name) for name in ("source", "account_id", "listener", "sequence", "retry_reason")},
        **{name: _text(getattr(state, name)) for name in MOMENTS},
        "refusal": refusal and {**vars(refusal), "since": as_text(refusal.since), "last_try": as_text(refusal.last_try)},
        "gaps": [{name: as_text(value) for name, value in vars(gap).items()} for gap in state.gaps],
        "keys": {key: _text(played_at) for key, played_at in state.keys.items()},
        "backfill_sequence": state.backfill_sequence,
        "failure": state.failure,
        **{name: progress_json.to_document(getattr(state, name)) for name in ("backfill", "comparison")},
        "vanished": [vanished_json.to_document(one) for one in state.vanished],
    }


def _from_document(document: Mapping[str, Any]) -> AccountState:
    if document["format"] != FORMAT:
        raise ValueError(f"its format is {document['format']!r}")
    told = document["refusal"]
    times = {name: dt.datetime.fromisoformat(told[name]) for name in ("since", "last_try")} if told else {}
    moments: dict[str, Any] = {name: _moment(document.get(name)) for name in MOMENTS}
    walks: dict[str, Any] = {name: progress_json.from_document(document.get(name)) for name in ("backfill", "comparison")}
    return AccountState(
        **{name: document[name] for name in ("source", "account_id", "listener", "sequence", "retry_reason")},
        **moments,
        **walks,
        backfill_sequence=document.get("backfill_sequence", 0),
        failure=document.get("failure"),
        vanished=tuple(vanished_json.from_document(one) for one in document.get("vanished", [])),
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
