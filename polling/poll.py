"""One poll of each account: what is new goes to the inbox, then the account's state moves. No run waits for it.

An account is cut off anywhere without loss: its files are written first, one an answer; its state moves once, after the last of
them. Until then the next poll reads from the files which plays it has, but does not take them for the end of what is missing.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from polling.answers import UNREAD_SECOND, Answer, Item, PollError
from polling.envelope import Envelope, write_envelope
from polling.places import AccountPlace
from polling.received_plays import ReceivedPlays
from polling.state import AccountState, Gap, Unconfirmed, confirmed, is_past, save_state
from polling.vanished import WHOLE_SOURCES, noticed, still_missing
from polling.visit import Account, Client, Outcome, visited

__all__ = ["Account", "Client", "Outcome", "Poll", "exit_code", "poll"]

OK, FAILED, LOCKED = 0, 1, 3
# Sources tell of plays of 30 s or more. A play between two others takes that long, and so does one of these.
SHORTEST_GAP = dt.timedelta(seconds=60)


def poll(accounts: Iterable[Account], inbox: Path, now: dt.datetime, *, again: bool = False) -> list[Outcome]:
    """Poll every account; what keeps one from being polled does not keep the others.

    `now` is the time in UTC; `again` also polls accounts that were refused less than a day ago.
    """
    return [visited(account, inbox, now, Poll, again=again) for account in accounts]


def exit_code(outcomes: Iterable[Outcome]) -> int:
    """1 where an account was refused or could not be polled, 3 where another process polls one, else 0, also for a wait."""
    statuses = {outcome.status for outcome in outcomes}
    return FAILED if statuses & {"refused", "failed"} else LOCKED if "busy" in statuses else OK


class Poll:
    """One poll of one account, whose lock the caller holds."""

    def __init__(self, place: AccountPlace, state: AccountState, outcome: Outcome) -> None:
        self.place, self.state, self.outcome = place, state, outcome
        self._before = Unconfirmed(state.sequence)
        self._sequence = state.sequence
        self._items = list[Item]()
        """of all answers, without those that the state knows"""
        self._shown = dict[str, dt.datetime | None]()
        """all items, by key"""
        self._server_date: dt.datetime | None = None
        self._is_connected = False
        """whether the plays reach down to one that is known"""
        self._is_whole = True
        """whether they are all that the source has down to there"""

    def run(self, client: Client) -> None:
        """Ask the source, and move the state. Raises PollError, EnvelopeError and OSError; the state has not moved then."""
        self.state, self._before = confirmed(self.place, self.state)
        self._sequence = self._before.sequence
        self._receive(client)
        gaps = self._gaps()
        # What was cut off is known too, also where the source no longer tells of it.
        items = [*[Item(0, key, played_at) for key, played_at in self._before.keys.items()], *self._items]
        known = {**self.state.keys, **self._before.keys}
        vanished = noticed(self.place, known, self._shown, self.state.vanished, self._server_date) if self._is_whole else ()
        moved = self.state.advanced(items, self._sequence, self._server_date)
        listed = still_missing(self.state.vanished, self._shown, vanished)
        self.state = replace(moved, gaps=(*moved.gaps, *gaps), vanished=listed)
        save_state(self.place, self.state)
        self.outcome = replace(self.outcome, gaps=gaps, vanished=len(vanished))

    def _receive(self, client: Client) -> None:
        """Write what is new to the inbox, answer by answer, until the plays reach down to one that is known."""
        for answer in client.recent():
            require_account(answer, client)
            self._server_date = self._server_date or answer.server_date
            self._is_whole = self._is_whole and UNREAD_SECOND not in answer.request
            unknown = self._unknown(answer)
            # Without any play known, the rest is a backfill's.
            self._is_connected = not self.state.keys or any(self._connects(item) for item in answer.items)
            new = [item for item in unknown if item.key not in self._before.keys]
            if new:
                envelope = Envelope.of(answer, self.state.listener, new, connects=self._is_connected)
                write_envelope(self.place, self._sequence + 1, envelope)
                self._sequence += 1
                self.outcome = replace(self.outcome, new_plays=self.outcome.new_plays + len(new))
            self._items += unknown
            self._shown |= {item.key: item.played_at for item in answer.items}
            if self._is_connected:
                return

    def _unknown(self, answer: Answer) -> list[Item]:
        """The items not received before, each once, also where two pages share one. Raises EnvelopeError and OSError."""
        known = {*self.state.keys, *(item.key for item in self._items)}
        unknown = {item.key: item for item in reversed(answer.items) if item.key not in known}
        if forgotten := [item.key for item in unknown.values() if self._is_forgotten(item)]:
            # What a device sends after weeks is older than all keys that the state holds, too: the files tell.
            with ReceivedPlays(self.place) as received:
                for key in received.known(forgotten):
                    del unknown[key]
        return list(reversed(unknown.values()))

    def _connects(self, item: Item) -> bool:
        """Whether nothing can be missing between this item and the plays of earlier polls."""
        if self._is_forgotten(item):
            return self.place.source in WHOLE_SOURCES
        if item.key not in self.state.keys or item.played_at is None:
            return False
        # A play from a clock that was ahead stays above what came later, and says nothing of it.
        return self.state.cursor is None or item.played_at <= self.state.cursor

    def _is_forgotten(self, item: Item) -> bool:
        """Whether the item is older than all plays whose keys the state holds."""
        horizon = self.state.horizon()
        return horizon is not None and item.played_at is not None and item.played_at < horizon

    def _gaps(self) -> tuple[Gap, ...]:
        """The intervals in which plays may have been missed; none where the plays reach down to one that is known."""
        date, cursor = self._server_date, self.state.cursor
        times = [played_at for played_at in self._shown.values() if played_at is not None]
        if self._is_connected or cursor is None or date is None or not times:
            return ()
        blocks = [times]
        earlier = [played_at for played_at in self._before.keys.values() if played_at is not None]
        if earlier and min(times) > max(earlier):
            # Nothing connects this poll with the one that was cut off, either.
            blocks.append(earlier)
        elif earlier:
            blocks = [[*times, *earlier]]
        ends = [min(block) for block in blocks]
        starts = [*[max(block) for block in blocks[1:]], cursor]
        pairs = zip(starts, ends, strict=True)
        return tuple(Gap(start, end, date) for start, end in pairs if end - start >= SHORTEST_GAP and is_past(end, date))


def require_account(answer: Answer, client: Client) -> None:
    """Raises PollError for an answer about another account than the client's."""
    if (answer.source, answer.account_id) != (client.source, client.account_id):
        raise PollError(f"the answer is about another account, {answer.account_id} of {answer.source}")
