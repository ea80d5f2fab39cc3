"""Polls made-up listeners through faults: the real clients, over HTTP on this machine, in simulated time."""

from __future__ import annotations

import datetime as dt
import random
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.chaos_world import LASTFM, SECOND, SPOTIFY, WINDOW, Listener, Play, artist, milliseconds, spotify_row
from polling.lastfm import LastfmClient
from polling.listenbrainz import ListenbrainzClient
from polling.pace import Budget
from polling.poll import Account, Client, Outcome, poll
from polling.retries import Limits
from polling.settings import ScrobbleSettings, SpotifySettings
from polling.spotify import SpotifyClient
from polling.state import MOST_KEYS
from polling.tokens import Token, TokenStore
from tests.live.services import LASTFM as LASTFM_PATH
from tests.live.services import LISTENBRAINZ, RECENT, Offered, Services
from tests.polling import spotify_faults as faults
from tests.polling.server import API_KEY, TOKEN, Listen
from tests.polling.spotify_faults import Fault
from tests.polling.spotify_server import SCOPE, Request

COMPARED = MOST_KEYS
"""scrobbles that a poll looks at, at least"""

CLIENT_ID = "app-of-the-chaos"
REQUEST_SECONDS = 1.5
FAULTY = 0.08
SLOW = 0.0005
"""share of requests, as each one takes REQUEST_SECONDS"""
PASSING_ERRORS = (8, 11, 16, 29)
NO_FILE: dict[str, Any] = {"_env_file": None}


class SimulatedClock:
    """Only sleeping and the polls' own times move it; it may be wrong about the date."""

    def __init__(self) -> None:
        self.true, self.skew, self._slept = dt.datetime.min.replace(tzinfo=dt.timezone.utc), dt.timedelta(0), 0.0

    def monotonic(self) -> float:
        return self._slept

    def now(self) -> dt.datetime:
        return self.true + self.skew

    def sleep(self, seconds: float) -> None:
        self._slept += seconds
        self.true += seconds * SECOND

    def advance(self, moment: dt.datetime) -> None:
        """To a later moment; a poll may have slept past it."""
        if moment > self.true:
            self._slept += (moment - self.true).total_seconds()
            self.true = moment


@dataclass
class FaultyServices(Services):
    """All services, each request of which may have a fault of any kind that passes."""

    def fault(self, request: Request) -> Fault | None:
        planned = super().fault(request)
        if planned is not None or self.chaos is None:
            return planned
        number = self.chaos.random()
        if number < SLOW:
            return self.chaos.choice((faults.drip, faults.drip_headers))
        if number < 2 * SLOW:
            return faults.bomb
        if request.path == LASTFM_PATH and number < FAULTY / 2:
            code = self.chaos.choice((200, 500))
            return faults.reply(code, {"error": self.chaos.choice(PASSING_ERRORS), "message": "made up"})
        return None


@dataclass
class Seen:
    """What came of one listener's polls."""

    name: str
    offered: dict[str, list[int]]
    """numbers of the plays that a whole answer of each source held"""
    fallen_out: list[int]
    """plays that stood among Spotify's last 50 at some time, and in none of its whole answers"""
    late: int
    """plays among them that Spotify told of late, so that polls around them knew each other's plays: nobody can notice"""
    unnoticed: list[int]
    """others among them that lie in no gap"""
    unread: dict[str, list[int]]
    """plays of services that page, which a poll that went well should have brought and did not"""
    out_of_reach: int
    """others of them that came when as many newer ones were there as a poll compares: nobody can notice"""
    gaps: list[tuple[str, str]]
    full: int
    """gaps of polls whose 50 plays were all new although nothing was missed"""
    events: dict[str, int] = field(default_factory=dict)


class PolledListener:
    """The accounts of one listener at the services, and the polls of them."""

    def __init__(self, server: FaultyServices, who: Listener, inbox: Path, state_dir: Path, seed: int) -> None:
        self.server, self.who, self.inbox = server, who, inbox
        self.chosen = random.Random(f"faults {seed}/{who.name}")  # noqa: S311
        self.clock = SimulatedClock()
        self.clock.true = who.polls[0] - dt.timedelta(hours=2)
        self.clock.skew = self.chosen.choice((0, 0, 0, 1, -1)) * dt.timedelta(minutes=self.chosen.randint(1, 180))
        server.now = lambda: self.clock.true
        server.chaos, server.chaos_share = self.chosen, FAULTY
        server.on_offer = self._offered
        self.offered: dict[str, set[int]] = {source: set() for source in who.sources}
        self.numbers = {
            source: {self._key(source, play): play.number for play in who.plays if source in play.moment}
            for source in who.sources
        }
        self.events: Counter[str] = Counter()
        self.done: dict[str, dt.datetime] = {}
        self.polled_at: dict[str, list[dt.datetime]] = {source: [] for source in who.sources}
        self.full: set[tuple[dt.datetime, dt.datetime]] = set()
        spotify: dict[str, Any] = {
            "client_id": CLIENT_ID,
            "state_dir": state_dir,
            "spotify_api_url": f"{server.url}/v1",
            "spotify_accounts_url": server.url,
            "spotify_request_seconds": REQUEST_SECONDS,
        }
        keys: dict[str, Any] = {"LASTFM_API_KEY": API_KEY, "LISTENBRAINZ_TOKEN": TOKEN}
        urls: dict[str, Any] = {"lastfm_api_url": server.url, "listenbrainz_api_url": server.url}
        self.settings = SpotifySettings(**NO_FILE, **spotify)
        self.scrobbles = ScrobbleSettings(**NO_FILE, **keys, **urls)
        self.store = TokenStore(state_dir, SPOTIFY)
        self.consent: dt.datetime | None = None
        self.is_withdrawn = False
        if SPOTIFY in who.sources:
            server.add(who.name)
            self.connect()

    def connect(self) -> None:
        """What the walk through Spotify's consent leaves."""
        granted = self.server.grant(self.who.name, CLIENT_ID)
        self.consent, self.is_withdrawn = self.clock.true, False
        self.store.write(
            Token(
                source=SPOTIFY,
                account_id=self.who.name,
                listener=self.who.name,
                name="Vega",
                client_id=CLIENT_ID,
                scope=SCOPE,
                refresh_token=granted["refresh_token"],
                access_token=granted["access_token"],
                expires_at=self.clock.now() + dt.timedelta(hours=5),
                consented_at=self.consent,
            )
        )

    def run(self) -> Seen:
        """All polls, each of all accounts."""
        for moment in self.who.polls:
            self.clock.advance(moment)
            self._happen()
            if self.chosen.random() < 0.02:
                self.events["asleep"] += 1
                continue
            self._poll_once()
        return self._seen()

    def _happen(self) -> None:
        """What goes wrong at this poll, beyond faults of single requests."""
        server, number = self.server, self.chosen.random()
        paths = {SPOTIFY: RECENT, LASTFM: LASTFM_PATH}
        source = self.chosen.choice(self.who.sources)
        path = paths.get(source, f"{LISTENBRAINZ}{self.who.name}/listens")
        for queue in server.faults.values():
            queue.clear()
        if self.is_withdrawn and number < 0.2:
            self.events["connected again"] += 1
            self.connect()
        elif number < 0.01:
            self.events["Retry-After 80000"] += 1
            server.fail(path, faults.api_error(429, "API rate limit exceeded", headers={"Retry-After": "80000"}))
        elif number < 0.02:
            self.events["Retry-After 4000"] += 1
            server.fail(path, faults.api_error(429, "API rate limit exceeded", headers={"Retry-After": "4000"}))
        elif number < 0.04:
            self.events["outage"] += 1
            server.fail(path, *[faults.html(503)] * 40)
        elif number < 0.06 and source == SPOTIFY:
            self.events["token withdrawn"] += 1
            server.withdraw(self.who.name, consent=False)
        elif number < 0.066 and source == SPOTIFY:
            self.events["consent withdrawn"] += 1
            self.is_withdrawn = True
            server.withdraw(self.who.name, consent=True)
        elif number < 0.07 and source == SPOTIFY:
            self.events["invalid_grant by mistake"] += 1
            server.withdraw(self.who.name, consent=False)
            server.fail("/api/token", faults.oauth_error(400, "invalid_grant"))

    def _poll_once(self) -> None:
        now, who, music = self.clock.true, self.who, self.server.music
        told = {source: who.told(source, now) for source in who.sources}
        listens = {source: [self._listen(source, play) for play in plays] for source, plays in told.items() if source != SPOTIFY}
        music.lastfm, music.listenbrainz = {}, {}
        for source, rows in listens.items():
            (music.lastfm if source == LASTFM else music.listenbrainz)[who.name] = rows
        music.playing = Listen(0, "Vega", "Tide now") if self.chosen.random() < 0.3 else None
        if SPOTIFY in told:
            self.server.accounts[who.name].plays = [spotify_row(who, play) for play in told[SPOTIFY][:WINDOW]]
        before = {source: set(numbers) for source, numbers in self.offered.items()}
        outcomes = poll(self._accounts(), self.inbox, now + self.clock.skew)
        for outcome in outcomes:
            self.events[outcome.status] += 1
            if outcome.status == "polled":
                self.done[outcome.source] = now
                self.polled_at[outcome.source].append(now)
            self._note_gaps(outcome, before, told)

    def _note_gaps(self, outcome: Outcome, before: dict[str, set[int]], told: dict[str, list[Play]]) -> None:
        if not outcome.gaps:
            return
        shown = told[SPOTIFY][:WINDOW]
        # One from a clock that was ahead stays on top, and proves nothing of what came meanwhile.
        honest = {play.number for play in shown if play.moment[SPOTIFY] <= play.told_at[SPOTIFY]}
        if len(shown) == WINDOW and not before[SPOTIFY] & honest:
            self.full |= {(gap.start, gap.end) for gap in outcome.gaps}

    def _accounts(self) -> Iterator[Account]:
        name, budget = self.who.name, Budget(1_000_000, 1.0)
        limits = Limits(request_seconds=REQUEST_SECONDS)

        def client(source: str) -> Callable[[], Client]:
            if source == SPOTIFY:
                return lambda: SpotifyClient(self.settings, name, budget=budget, clock=self.clock)
            kind = LastfmClient if source == LASTFM else ListenbrainzClient
            return lambda: kind(name, self.scrobbles, budget=budget, limits=limits, clock=self.clock)

        for source in self.who.sources:
            yield Account(source, name, name, client(source), self.consent if source == SPOTIFY else None)

    def _listen(self, source: str, play: Play) -> Listen:
        length = milliseconds(self.who.lengths[play.track])
        return Listen(int(play.moment[source].timestamp()), artist(play), self.who.title(play), track_ms=length)

    def _key(self, source: str, play: Play) -> Any:
        if source == SPOTIFY:
            return spotify_key(spotify_row(self.who, play))
        return int(play.moment[source].timestamp()), self.who.title(play)

    def _offered(self, offered: Offered) -> None:
        numbers = self.numbers[offered.source]
        self.offered[offered.source] |= {numbers[key_of(offered.source, item)] for item in offered.items}

    def _seen(self) -> Seen:
        from polling.places import AccountPlace
        from polling.state import load_state

        gaps: list[tuple[dt.datetime, dt.datetime]] = []
        fallen: list[Play] = []
        if SPOTIFY in self.who.sources:
            state = load_state(AccountPlace(self.inbox, SPOTIFY, self.who.name), self.who.name)
            gaps = [(gap.start, gap.end) for gap in state.gaps]
            fallen = self._fallen_out()
        outside = [play for play in fallen if not any(start <= told_time(play) <= end for start, end in gaps)]
        empty = {gap for gap in gaps if not any(gap[0] <= told_time(play) <= gap[1] for play in fallen)}
        unread = {
            source: [play for play in self.who.told(source, done) if play.number not in self.offered[source]]
            for source, done in self.done.items()
            if source != SPOTIFY
        }
        near = {source: sorted(play.number for play in plays if self._is_near(source, play)) for source, plays in unread.items()}
        if unknown := empty - self.full:
            raise AssertionError(f"{self.who.name}: gaps without a missed play: {sorted(unknown)}")
        return Seen(
            self.who.name,
            {source: sorted(numbers) for source, numbers in self.offered.items()},
            sorted(play.number for play in fallen),
            sum(is_late(play) for play in outside),
            [play.number for play in outside if not is_late(play)],
            near,
            sum(map(len, unread.values())) - sum(map(len, near.values())),
            [(start.isoformat(), end.isoformat()) for start, end in gaps],
            len(empty),
            dict(self.events),
        )

    def _is_near(self, source: str, play: Play) -> bool:
        """Whether the play stood among those that the first poll after it came compares."""
        first = next(at for at in self.polled_at[source] if at >= play.told_at[source])
        return sum(one.moment[source] > play.moment[source] for one in self.who.told(source, first)) < COMPARED

    def _fallen_out(self) -> list[Play]:
        """Plays that nobody saw, and that 50 newer ones had pushed out of the window before the last poll that went well."""
        # Nothing tells two plays without a track apart.
        plays = [play for play in self.who.plays if SPOTIFY in play.moment and play.kind != "null"]
        last = self.done.get(SPOTIFY)
        # What fell out before the first answer is the business of a backfill or an export.
        first = min((play.moment[SPOTIFY] for play in plays if play.number in self.offered[SPOTIFY]), default=None)
        is_later = [play for play in plays if first is not None and play.moment[SPOTIFY] > first]
        unseen = [play for play in is_later if play.number not in self.offered[SPOTIFY]]
        return [
            play
            for play in unseen
            if last is not None and play.told_at[SPOTIFY] <= last and _newer(play, plays, play.told_at[SPOTIFY]) < WINDOW
        ]


def told_time(play: Play) -> dt.datetime:
    """The time that Spotify states, in whole milliseconds."""
    time = play.moment[SPOTIFY]
    return time.replace(microsecond=time.microsecond // 1000 * 1000)


def is_late(play: Play) -> bool:
    """Whether Spotify began to tell of a play long after it."""
    return play.told_at[SPOTIFY] - play.start > dt.timedelta(hours=1)


def _newer(play: Play, plays: list[Play], at: dt.datetime) -> int:
    """How many newer plays Spotify tells of at that moment."""
    return sum(one.told_at[SPOTIFY] <= at and one.moment[SPOTIFY] > play.moment[SPOTIFY] for one in plays)


def spotify_key(row: Any) -> tuple[str, str]:
    return row["played_at"], (row["track"] or {}).get("uri", "")


def key_of(source: str, item: Any) -> Any:
    """What identifies an item of an answer among the plays of its listener."""
    if source == SPOTIFY:
        return spotify_key(item)
    if source == LASTFM:
        return int(item["date"]["uts"]), item["name"]
    return item["listened_at"], item["track_metadata"]["track_name"]
