"""One visit of an account: under its lock, unless the source asked to wait, with what comes of it noted in its state."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, Protocol

from polling.answers import AccountRefused, Answer, PollError, RetryLater, SettingMissing
from polling.envelope import EnvelopeError
from polling.headers import LONGEST_RETRY
from polling.places import AccountPlace
from polling.progress import Progress
from polling.state import AccountState, BusyError, Gap, StateError, load_state, locked, read_state, save_state

Status = Literal["polled", "waiting", "refused", "failed", "busy", "no backfill"]
# A source may refuse an account by mistake, and a person may have done what was needed: it is asked once a day.
NEXT_TRY = dt.timedelta(days=1)
# The listener of an account whose token cannot be read; nothing is received for it.
UNKNOWN = "unknown"


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
    """What came of the visit of one account."""

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
    vanished: int = 0
    """plays received earlier that the source no longer has, as far as this visit noticed"""
    progress: Progress | None = None
    """how far a backfill has come; None for a poll"""
    is_comparison: bool = False
    """whether `progress` is of a comparison of what was read before"""


class Work(Protocol):
    """What is done during a visit."""

    state: AccountState
    """what is known so far; a wait or a refusal is added to it"""
    outcome: Outcome
    """what came of it so far"""

    def run(self, client: Client) -> None:
        """Ask the source, write what is new, move the state. Raises PollError, EnvelopeError and OSError."""


def visited(
    account: Account,
    inbox: Path,
    now: dt.datetime,
    work: Callable[[AccountPlace, AccountState, Outcome], Work],
    *,
    again: bool = False,
) -> Outcome:
    """The outcome of the work on an account; `again` also asks one that was refused less than a day ago."""
    outcome = Outcome(account.source, account.account_id, account.listener, "polled")
    place = AccountPlace(inbox, account.source, account.account_id)
    try:
        with locked(place):
            place.part.unlink(missing_ok=True)
            before = _listener_before(place)
            if account.consent is None and before not in (None, account.listener) and account.listener != UNKNOWN:
                reason = f"its plays so far are those of listener {before}"
                remedy = (
                    f"name {before} in the setting again, or move {place.folder} and {place.state} away and run "
                    f"`lakehouse poll --backfill`: all of it is then read again for {account.listener}"
                )
                return replace(outcome, status="refused", reason=reason, remedy=remedy)
            state = load_state(place, before if before is not None and account.listener == UNKNOWN else account.listener)
            if account.consent is not None and account.consent != state.consent:
                state = state.connected(account.listener, account.consent)
            skipped = _skipped(outcome, state, now, again=again)
            return skipped if skipped is not None else _carried_out(work(place, state, outcome), place, account, now)
    except BusyError as error:
        return replace(outcome, status="busy", reason=str(error))
    except (StateError, EnvelopeError, OSError) as error:
        return replace(outcome, status="failed", reason=str(error))


def _listener_before(place: AccountPlace) -> str | None:
    """The listener whose plays the account has told so far; None without a state. Raises StateError and OSError."""
    try:
        return read_state(place.state).listener
    except FileNotFoundError:
        return None


def _skipped(outcome: Outcome, state: AccountState, now: dt.datetime, *, again: bool) -> Outcome | None:
    """The outcome for an account that is not to be asked now; None for one that is."""
    # More than is ever stored ahead: the clock was set back, and says nothing of how long to wait.
    if state.retry_at is not None and now < state.retry_at <= now + dt.timedelta(seconds=LONGEST_RETRY):
        return replace(outcome, status="waiting", reason=state.retry_reason, retry_at=state.retry_at)
    refusal = state.refusal
    if refusal is None or again or now >= refusal.last_try + NEXT_TRY:
        return None
    return replace(outcome, status="refused", reason=refusal.reason, remedy=refusal.remedy)


def _carried_out(work: Work, place: AccountPlace, account: Account, now: dt.datetime) -> Outcome:
    """Do the work, and note a wait or a refusal. Raises EnvelopeError and OSError."""
    try:
        with _opened(account) as client:
            work.run(client)
    except RetryLater as error:
        save_state(place, work.state.waiting(error.retry_at, str(error)))
        return replace(work.outcome, status="waiting", reason=str(error), retry_at=error.retry_at)
    except SettingMissing as error:
        if place.state.is_file():
            save_state(place, work.state.failed(now, str(error)))
        return replace(work.outcome, status="refused", reason=str(error), remedy=error.remedy)
    except AccountRefused as error:
        save_state(place, work.state.refused(now, str(error), error.remedy))
        return replace(work.outcome, status="refused", reason=str(error), remedy=error.remedy)
    except (PollError, OSError) as error:
        # The state has not moved beyond what was written, so the next visit asks for the rest.
        if place.state.is_file():
            save_state(place, work.state.failed(now, str(error)))
        return replace(work.outcome, status="failed", reason=str(error))
    return work.outcome


@contextmanager
def _opened(account: Account) -> Iterator[Client]:
    """The account's client, whose connections end with the visit, where it keeps any."""
    client = account.client()
    try:
        yield client
    finally:
        if (close := getattr(client, "close", None)) is not None:
            close()
