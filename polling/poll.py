"""One poll of each account: what is new goes to the inbox, then the account's state moves. No run waits for it.

An account is cut off anywhere without loss: its files are written first, one an answer; its state moves once, after the last of
them. Until then the next poll reads from the files which plays it has, but does not take them for the end of what is missing.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal, Protocol

from polling.answers import AccountRefused, Answer, Item, PollError, RetryLater
from polling.envelope import Envelope, EnvelopeError, write_envelope
from polling.files import remove_parts
from polling.places import AccountPlace
from polling.state import (
    AccountState,
    BusyError,
    Gap,
    StateError,
    Unconfirmed,
    confirmed,
    is_past,
    load_state,
    locked,
    save_state,
)

Status = Literal["polled", "waiting", "refused", "failed", "busy"]
OK, FAILED, LOCKED = 0, 1, 3
# A source may refuse an account by mistake, and a person may have done what was needed: it is asked once a day.
NEXT_TRY = dt.timedelta(days=1)


class Client(Protocol):
    """Reads one account of a source."""

    source: str
    account_id: str

    def recent(self) -> Iterator[Answer]:
        """Answers, the newest plays first, until the caller has seen enough. Raises PollError."""


@dataclass(frozen=True)
class Account:
    """An account that is polled, and the listener whose plays it tells."""

    source: str
    account_id: str
    listener: str
    client: Callable[[], Client]
    """makes its client, once it is needed. Raises PollError"""
    consent: dt.datetime | None = None
    """when a person last let the product read the account"""


@dataclass(frozen=True)
class Outcome:
    """What came of the poll of one account."""

    source: str
    account_id: str
    listener: str
    status: Status
    new_plays: int = 0
    reason: str | None = None
    """why it was not polled"""
    remedy: str | None = None
    """what a person can do"""
    retry_at: dt.datetime | None = None
    gaps: tuple[Gap, ...] = ()
    """in which plays may have been missed before this poll"""


@dataclass
class _Received:
    """What one poll has brought so far."""

    sequence: int
    items: list[Item] = field(default_factory=list)
    """of all answers, without those that the state knows"""
    new_plays: int = 0
    server_date: dt.datetime | None = None
    times: list[dt.datetime] = field(default_factory=list)
    """of all items"""
    is_connected: bool = False
    """whether the plays reach down to one that is known"""


def poll(accounts: Iterable[Account], inbox: Path, now: dt.datetime, *, again: bool = False) -> list[Outcome]:
    """Poll every account; what keeps one from being polled does not keep the others.

    `now` is the time in UTC; `again` also polls accounts that were refused less than a day ago.
    """
    return [_poll_account(account, inbox, now, again=again) for account in accounts]


def exit_code(outcomes: Iterable[Outcome]) -> int:
    """1 where an account was refused or could not be polled, 3 where another process polls one, else 0, also for a wait."""
    statuses = {outcome.status for outcome in outcomes}
    return FAILED if statuses & {"refused", "failed"} else LOCKED if "busy" in statuses else OK


def _poll_account(account: Account, inbox: Path, now: dt.datetime, *, again: bool) -> Outcome:
    outcome = Outcome(account.source, account.account_id, account.listener, "polled")
    place = AccountPlace(inbox, account.source, account.account_id)
    try:
        with locked(place):
            remove_parts(place.folder)
            state = load_state(place, account.listener)
            if account.consent is not None and account.consent != state.consent:
                state = state.connected(account.listener, account.consent)
            skipped = _skipped(outcome, state, now, again=again)
            return skipped if skipped is not None else _polled(outcome, place, state, account, now)
    except BusyError as error:
        return replace(outcome, status="busy", reason=str(error))
    except (StateError, EnvelopeError, OSError) as error:
        return replace(outcome, status="failed", reason=str(error))


def _skipped(outcome: Outcome, state: AccountState, now: dt.datetime, *, again: bool) -> Outcome | None:
    """The outcome for an account that is not to be asked now; None for one that is."""
    if state.retry_at is not None and now < state.retry_at:
        return replace(outcome, status="waiting", reason=state.retry_reason, retry_at=state.retry_at)
    refusal = state.refusal
    if refusal is None or again or now >= refusal.last_try + NEXT_TRY:
        return None
    return replace(outcome, status="refused", reason=refusal.reason, remedy=refusal.remedy)


def _polled(outcome: Outcome, place: AccountPlace, state: AccountState, account: Account, now: dt.datetime) -> Outcome:
    """Ask the source, and note what came of it. Raises EnvelopeError and OSError."""
    state, before = confirmed(place, state)
    received = _Received(before.sequence)
    try:
        with _opened(account) as client:
            _receive(received, place, state, before, client)
    except RetryLater as error:
        save_state(place, state.waiting(error.retry_at, str(error)))
        new = received.new_plays
        return replace(outcome, status="waiting", new_plays=new, reason=str(error), retry_at=error.retry_at)
    except AccountRefused as error:
        save_state(place, state.refused(now, str(error), error.remedy))
        return replace(outcome, status="refused", new_plays=received.new_plays, reason=str(error), remedy=error.remedy)
    except (PollError, OSError) as error:
        # The state has not moved, so the next poll asks for the same plays.
        return replace(outcome, status="failed", new_plays=received.new_plays, reason=str(error))
    gaps = _gaps(state, before, received)
    # What was cut off is known too, also where the source no longer tells of it.
    items = [*[Item(0, key, played_at) for key, played_at in before.keys.items()], *received.items]
    moved = state.advanced(items, received.sequence, received.server_date)
    save_state(place, replace(moved, gaps=(*moved.gaps, *gaps)))
    return replace(outcome, new_plays=received.new_plays, gaps=gaps)


@contextmanager
def _opened(account: Account) -> Iterator[Client]:
    """The account's client, whose connections end with the poll, where it keeps any."""
    client = account.client()
    try:
        yield client
    finally:
        if (close := getattr(client, "close", None)) is not None:
            close()


def _receive(received: _Received, place: AccountPlace, state: AccountState, before: Unconfirmed, client: Client) -> None:
    """Write what is new to the inbox, answer by answer, until the plays reach down to one that is known."""
    for answer in client.recent():
        if (answer.source, answer.account_id) != (client.source, client.account_id):
            raise PollError(f"the answer is about another account, {answer.account_id} of {answer.source}")
        received.server_date = received.server_date or answer.server_date
        unknown = _unknown(answer, received, state)
        # Without any play known, the rest is a backfill's.
        received.is_connected = not state.keys or any(_is_known(item, state) for item in answer.items)
        new = [item for item in unknown if item.key not in before.keys]
        if new:
            envelope = Envelope.of(answer, state.listener, new, connects=received.is_connected)
            write_envelope(place, received.sequence + 1, envelope)
            received.sequence += 1
            received.new_plays += len(new)
        received.items += unknown
        received.times += [item.played_at for item in answer.items if item.played_at is not None]
        if received.is_connected:
            return


def _unknown(answer: Answer, received: _Received, state: AccountState) -> list[Item]:
    """The items that the state does not know, each once, also where two pages share one."""
    seen = {item.key for item in received.items}
    unknown = {item.key: item for item in reversed(answer.items) if item.key not in seen and not _is_known(item, state)}
    return list(reversed(unknown.values()))


def _is_known(item: Item, state: AccountState) -> bool:
    horizon = state.horizon()
    is_forgotten = horizon is not None and item.played_at is not None and item.played_at < horizon
    return item.key in state.keys or is_forgotten


def _gaps(state: AccountState, before: Unconfirmed, received: _Received) -> tuple[Gap, ...]:
    """The intervals in which plays may have been missed; none where the plays reach down to one that is known."""
    date = received.server_date
    if received.is_connected or state.cursor is None or date is None or not received.times:
        return ()
    blocks = [received.times]
    earlier = [played_at for played_at in before.keys.values() if played_at is not None]
    if earlier and min(received.times) > max(earlier):
        # Nothing connects this poll with the one that was cut off, either.
        blocks.append(earlier)
    elif earlier:
        blocks = [[*received.times, *earlier]]
    ends = [min(block) for block in blocks]
    starts = [*[max(block) for block in blocks[1:]], state.cursor]
    return tuple(Gap(start, end, date) for start, end in zip(starts, ends, strict=True) if start < end and is_past(end, date))
