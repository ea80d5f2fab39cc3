"""Backfills of accounts of the test server, by the real clients, and what they wrote."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import SecretStr

from polling.backfill import Wanted, backfill
from polling.inbox_files import poll_files
from polling.lastfm import LastfmClient, scrobbles_of
from polling.listenbrainz import ListenbrainzClient, listens_of
from polling.places import AccountPlace
from polling.poll import poll
from polling.progress import Progress
from polling.retries import Limits
from polling.settings import ScrobbleSettings
from polling.state import AccountState, load_state
from polling.visit import Account, Outcome
from tests.polling.clock import FakeClock
from tests.polling.server import API_KEY, SERVER_NOW, Listen, MusicServer

SOURCES = ["lastfm_api", "listenbrainz_api"]


@dataclass
class Seen:
    """An observer that notes the months in their order."""

    months: list[str] = field(default_factory=list)

    def read(self, outcome: Outcome, month: str, progress: Progress) -> None:
        if month not in self.months[-1:]:
            self.months.append(month)


@dataclass
class Past:
    """The account `anna` at one of the two services."""

    server: MusicServer
    inbox: Path
    source: str
    seen: Seen = field(default_factory=Seen)
    calls: int = 100_000
    now: dt.datetime = SERVER_NOW
    """of the last poll or backfill, by the local clock"""

    @property
    def place(self) -> AccountPlace:
        return AccountPlace(self.inbox, self.source, "anna")

    @property
    def listens(self) -> list[Listen]:
        """What the service has."""
        return (self.server.lastfm if self.source == "lastfm_api" else self.server.listenbrainz)["anna"]

    @listens.setter
    def listens(self, listens: list[Listen]) -> None:
        (self.server.lastfm if self.source == "lastfm_api" else self.server.listenbrainz)["anna"] = listens

    def account(self) -> Account:
        service = self.source.removesuffix("_api")
        settings = ScrobbleSettings(
            **{f"{service}_api_url": self.server.url, f"{service}_calls": self.calls, f"{service}_call_seconds": 3600.0},
            lastfm_api_key=SecretStr(API_KEY),
        )
        client = LastfmClient if self.source == "lastfm_api" else ListenbrainzClient
        return Account(self.source, "anna", "anna", lambda: client("anna", settings, clock=FakeClock(self.now), limits=Limits(5)))

    def poll(self, now: dt.datetime = SERVER_NOW) -> Outcome:
        self.now = now
        [outcome] = poll([self.account()], self.inbox, now)
        return outcome

    def backfill(self, since: str = "1970-01", *, again: bool = False, now: dt.datetime = SERVER_NOW) -> Outcome:
        self.now = now
        [outcome] = backfill([self.account()], self.inbox, now, Wanted(since, again), self.seen)
        return outcome

    def state(self) -> AccountState:
        return load_state(self.place, "anna")

    def received(self) -> list[Listen]:
        """What is new in the files, as often as it is, the oldest first; checked against the keys that the files state."""
        found = []
        with poll_files(self.place) as files:
            for file in files:
                envelope = file.envelope()
                rows = (scrobbles_of if self.source == "lastfm_api" else listens_of)(envelope.answer)
                listens = [_listen(rows[position]) for position in envelope.new]
                assert [key.partition(":")[0] for key in envelope.keys] == [str(one.second) for one in listens]
                found += listens
        return sorted(found)

    def requests(self) -> list[tuple[tuple[str, str], ...]]:
        """What the service was asked, each request as its parameters."""
        return [tuple(sorted((*one.params.items(), ("path", one.path)))) for one in self.server.asked]

    def most_often(self) -> int:
        """How often the page was asked for that was asked for most often."""
        return max(Counter(self.requests()).values())


def _listen(row: dict) -> Listen:  # type: ignore[type-arg]
    if "track_metadata" in row:
        names = row["track_metadata"]
        return Listen(row["listened_at"], names["artist_name"], names["track_name"], names["release_name"])
    return Listen(int(row["date"]["uts"]), row["artist"]["#text"], row["name"], row["album"]["#text"])


def second(text: str) -> int:
    """The Unix second of a UTC time."""
    return int(dt.datetime.fromisoformat(text).replace(tzinfo=dt.timezone.utc).timestamp())


def history(start: str, count: int, step: int = 7200) -> list[Listen]:
    """So many listens from a time on, one every `step` seconds, the oldest first."""
    return [Listen(second(start) + number * step, "Vega", f"Tide {number}") for number in range(count)]
