"""A client that reads from a list, and looks into what polls wrote."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from polling.answers import Answer, Item, PollError
from polling.envelope import Envelope
from polling.inbox_files import poll_files
from polling.places import AccountPlace
from polling.visit import Account

START = dt.datetime(2026, 11, 29, tzinfo=dt.timezone.utc)
MINUTE = dt.timedelta(minutes=1)


def moment(number: float) -> dt.datetime:
    """When the play of that number was; one every four minutes."""
    return START + 4 * number * MINUTE


def key(number: float) -> str:
    return f"play-{number}"


@dataclass
class ListClient:
    """A source that tells of the plays with the numbers in `plays`, newest first, at most `most` of them, a page at a time."""

    plays: list[float] = field(default_factory=list)
    page: int = 50
    most: int = 50
    source: str = "spotify_api"
    account_id: str = "acc1"
    fails: PollError | None = None
    fails_at: int = 0
    """page in whose place the error comes"""
    asked: int = 0
    date: dt.datetime | None = None
    """the server's; after the newest play if that is None"""

    is_closed: bool = False

    def close(self) -> None:
        self.is_closed = True

    def recent(self) -> Iterator[Answer]:
        newest = sorted(self.plays, reverse=True)[: self.most]
        pages = [newest[start : start + self.page] for start in range(0, len(newest), self.page)] or [[]]
        for number, shown in enumerate(pages):
            if self.fails is not None and number == self.fails_at:
                raise self.fails
            self.asked += 1
            yield self.answer(shown)

    def answer(self, shown: Sequence[float]) -> Answer:
        items = [
            {"played_at": moment(number).isoformat(), "track": {"id": f"{number:022}", "name": f"Track {number}"}}
            for number in shown
        ]
        date = self.date or moment(max(self.plays, default=0) + 1)
        found = tuple(Item(position, key(number), moment(number)) for position, number in enumerate(shown))
        return Answer(self.source, self.account_id, {"path": "me/player/recently-played"}, date, {"items": items}, found)


def account(client: ListClient, listener: str = "anna", consent: dt.datetime | None = None) -> Account:
    return Account(client.source, client.account_id, listener, lambda: client, consent)


def envelopes(inbox: Path, source: str = "spotify_api", account_id: str = "acc1") -> list[Envelope]:
    """The account's envelopes, the oldest first."""
    with poll_files(AccountPlace(inbox, source, account_id)) as files:
        return [file.envelope() for file in files][::-1]


def received(inbox: Path, source: str = "spotify_api", account_id: str = "acc1") -> list[str]:
    """Keys of all plays in the inbox, each as often as it is new in a file; checked against the answers."""
    keys = []
    for envelope in envelopes(inbox, source, account_id):
        shown = [envelope.answer["items"][position]["track"]["name"] for position in envelope.new]
        assert shown == [f"Track {one.removeprefix('play-')}" for one in envelope.keys]
        keys += list(envelope.keys)
    return sorted(keys)


def keys(numbers: Sequence[int]) -> list[str]:
    return sorted(map(key, numbers))
