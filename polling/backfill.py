"""The plays from before the first poll: month by month, the newest first, and once more later, to compare them.

Each page is written to the inbox, then the state of the account moves to the next one, so that a process that is killed anywhere
goes on there. What the inbox already has is not new again. Polls and backfills leave each other's place alone.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol, cast

from music.envelopes import LASTFM_API, LISTENBRAINZ_API
from polling.answers import Position, Step
from polling.envelope import BACKFILL, Envelope, write_envelope
from polling.inbox_files import last_number, loose_files
from polling.places import AccountPlace
from polling.poll import Poll, require_account
from polling.progress import FIRST_MONTH, Progress, end_of, month_of
from polling.received_plays import ReceivedPlays
from polling.state import AccountState, save_state
from polling.vanished import Vanished, still_missing
from polling.visit import Account, Client, Outcome, visited

SOURCES = (LASTFM_API, LISTENBRAINZ_API)
NO_BACKFILL = "the source tells of the last 50 plays only: earlier ones come with an export of your data in the landing folder"
SECOND = dt.timedelta(seconds=1)


class PastClient(Client, Protocol):
    """Reads one account of a source that tells of all its plays."""

    def past(self, start: dt.datetime, end: dt.datetime, position: Position | None = None) -> Iterator[Step]:
        """The plays with start <= time < end, newest first, from a position on. Raises PollError."""


class Observer(Protocol):
    """Is told how far a backfill has come."""

    def read(self, outcome: Outcome, month: str, progress: Progress) -> None:
        """After each page, of which `month` was; `progress` says whether that month is done."""


@dataclass(frozen=True)
class Wanted:
    """What a person asked for."""

    since: str = FIRST_MONTH
    """the oldest month to read"""
    is_comparison: bool = False
    """read once more what was read"""


def backfill(accounts: Iterable[Account], inbox: Path, now: dt.datetime, wanted: Wanted, observer: Observer) -> list[Outcome]:
    """Read the past of every account; what keeps one from being read does not keep the others. `now` is the time in UTC."""
    return [_past(account, inbox, now, wanted, observer) for account in accounts]


def _past(account: Account, inbox: Path, now: dt.datetime, wanted: Wanted, observer: Observer) -> Outcome:
    if account.source not in SOURCES:
        return Outcome(account.source, account.account_id, account.listener, "no backfill", reason=NO_BACKFILL)

    def work(place: AccountPlace, state: AccountState, outcome: Outcome) -> Backfill:
        return Backfill(place, state, outcome, wanted, observer)

    return visited(account, inbox, now, work, again=wanted.is_comparison)


class Backfill:
    """A backfill of one account, or its comparison, whose lock the caller holds."""

    def __init__(self, place: AccountPlace, state: AccountState, outcome: Outcome, wanted: Wanted, observer: Observer) -> None:
        self.place, self.state = place, state
        self.outcome = replace(outcome, is_comparison=wanted.is_comparison)
        self.wanted, self.observer = wanted, observer

    def run(self, client: Client) -> None:
        """Read on until nothing older is left or wanted. Raises PollError, EnvelopeError and OSError; what was read stays."""
        progress = self._begun(client)
        if progress is None:
            return
        # The page after the last one counted may be in the inbox, too.
        files = loose_files(self.place)
        last = max(self.state.backfill_sequence, last_number(files, is_backfill=True))
        self.state = replace(self.state, backfill_sequence=last)
        since = max(self.wanted.since, self._oldest_to_compare())
        if not progress.is_complete and progress.month >= since:
            with ReceivedPlays(self.place) as received:
                progress = self._read(cast(PastClient, client), progress, since, received)
        if self.wanted.is_comparison and not progress.is_complete:
            progress = replace(progress, is_complete=True)
            self._move(progress)
        self.outcome = replace(self.outcome, progress=progress)

    def _begun(self, client: Client) -> Progress | None:
        """How far it has come; a new one begins with a poll, so that nothing lies between. None where nothing was ever played."""
        progress = self.state.comparison if self.wanted.is_comparison else self.state.backfill
        if progress is not None and not (self.wanted.is_comparison and progress.is_complete):
            return progress
        poll = Poll(self.place, self.state, self.outcome)
        try:
            poll.run(client)
        finally:
            self.state, self.outcome = poll.state, poll.outcome
        upper = self.state.cursor if self.wanted.is_comparison else _reached(self.state)
        if upper is None:
            return None
        # Of the second of the oldest play a page may hold a part.
        progress = Progress.begin(upper.replace(microsecond=0) + SECOND)
        self._move(progress)
        return progress

    def _oldest_to_compare(self) -> str:
        """A comparison ends where polls and backfill have not been."""
        state = self.state
        if not self.wanted.is_comparison or (state.backfill is not None and state.backfill.is_complete):
            return FIRST_MONTH
        if state.backfill is not None:
            return month_of(end_of(state.backfill.month))
        reached = _reached(state)
        return FIRST_MONTH if reached is None else month_of(reached)

    def _read(self, client: PastClient, progress: Progress, since: str, received: ReceivedPlays) -> Progress:
        while not progress.is_complete and progress.month >= since:
            month = progress.month
            for step in client.past(*progress.bounds(), progress.position):
                require_account(step.answer, client)
                progress = progress.after(step, self._take(step, received))
                self._move(progress)
                self.observer.read(self.outcome, month, progress)
        return progress

    def _take(self, step: Step, received: ReceivedPlays) -> int:
        """Write what is new of a page to the inbox, and note what the source no longer has; returns how many plays are new."""
        known = received.known(item.key for item in step.answer.items)
        new = [item for item in step.answer.items if item.key not in known]
        if new:
            number = self.state.backfill_sequence + 1
            envelope = Envelope.of(step.answer, self.state.listener, new, connects=False)
            path = write_envelope(self.place, number, envelope, BACKFILL)
            received.add(path.name, envelope.keys, envelope.new)
            self.state = replace(self.state, backfill_sequence=number)
            self.outcome = replace(self.outcome, new_plays=self.outcome.new_plays + len(new))
        listed = {one.key for one in self.state.vanished}
        vanished = [
            Vanished(play.key, play.played_at, step.answer.server_date, play.file, play.position)
            for play in received.missing_from(step.keys, step.shown)
            if play.key not in listed
        ]
        self.state = replace(self.state, vanished=still_missing(self.state.vanished, step.keys, vanished))
        self.outcome = replace(self.outcome, vanished=self.outcome.vanished + len(vanished))
        return len(new)

    def _move(self, progress: Progress) -> None:
        """Note in the state how far it has come; the source answers, so no wait or refusal is left."""
        answered = replace(self.state, retry_at=None, retry_reason=None, refusal=None)
        is_comparison = self.wanted.is_comparison
        moved = replace(answered, comparison=progress) if is_comparison else replace(answered, backfill=progress)
        save_state(self.place, moved)
        self.state = moved
        self.outcome = replace(self.outcome, progress=progress)


def _reached(state: AccountState) -> dt.datetime | None:
    """The time from which on polls have received everything."""
    times = [played_at for played_at in state.keys.values() if played_at is not None]
    return state.reached or min(times, default=None)
