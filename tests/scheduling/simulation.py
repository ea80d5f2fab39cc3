"""Days of a scheduler with a listener at Spotify, in simulated time: real processes, a real server, real polls and builds."""

from __future__ import annotations

import datetime as dt
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from lakehouse.settings import PROJECT_ROOT
from polling.inbox_files import poll_files
from polling.places import AccountPlace
from polling.state import AccountState, load_state
from polling.tokens import Token, TokenStore
from tests.polling.spotify_faults import Fault
from tests.polling.spotify_server import Request, SpotifyServer, play
from tests.scheduling.simulated_clock import SharedClock

START = dt.datetime(2026, 6, 1, tzinfo=dt.timezone.utc)
HOUR = dt.timedelta(hours=1)
SOURCE, ACCOUNT, LISTENER, CLIENT_ID = "spotify_api", "account1", "anna", "app-of-the-simulation"
RECENTLY_PLAYED = "/v1/me/player/recently-played"


def usual_plays(days: int, seed: int) -> list[dt.datetime]:
    """When a listener plays something: about 60 a day, now and then in the day, and 54 within 45 minutes in the evening."""
    own, moments = random.Random(seed), list[dt.datetime]()  # noqa: S311
    for day in range(days):
        begin = START + dt.timedelta(days=day)
        moments += [begin + HOUR * own.uniform(7, 17) for _ in range(own.randint(4, 10))]
        evening = begin + HOUR * own.uniform(18, 21)
        moments += [evening + dt.timedelta(seconds=50 * n + own.uniform(0, 20)) for n in range(54)]
    return sorted(moments)


class LivingSpotify(SpotifyServer):
    """Tells what was played until the clock's now. After a poll in each of the `rushes`, so much is played that the next poll
    is nearly full, and then so much that plays are lost unless another one follows soon."""

    def __init__(self, clock: SharedClock, moments: Sequence[dt.datetime], rushes: Sequence[dt.datetime] = ()) -> None:
        super().__init__()
        self.now, self._moments, self._rushes = clock.now, list(moments), list(rushes)
        self._second_wave_at = 0
        self.add(ACCOUNT)
        # Spent after a minute, so that most polls renew it.
        self.token_fields = {"expires_in": 61}

    def __enter__(self) -> LivingSpotify:
        super().__enter__()
        return self

    def played(self) -> list[dict[str, Any]]:
        """All plays so far, the oldest first."""
        past = [moment for moment in sorted(self._moments) if moment <= self.now()]
        return [_play(moment) for moment in past]

    def answer(self, request: Request) -> Fault:
        if request.path == RECENTLY_PLAYED:
            self.accounts[ACCOUNT].plays = self.played()[::-1]
            self._rush()
        return super().answer(request)

    def _rush(self) -> None:
        now = self.now()
        if self._second_wave_at and len(self.played()) >= self._second_wave_at:
            self._second_wave_at = 0
            self._moments += [now + dt.timedelta(seconds=5 + 20 * n) for n in range(56)]
        elif self._rushes and now >= self._rushes[0]:
            self._rushes.pop(0)
            self._moments = [one for one in self._moments if not now < one < now + HOUR]
            # All are over before the soonest next poll, 18 minutes later.
            wave = [now + dt.timedelta(seconds=5 + 20 * n) for n in range(45)]
            self._moments += wave
            self._second_wave_at = len([one for one in self._moments if one <= wave[-1]])


def _play(moment: dt.datetime) -> dict[str, Any]:
    seconds = int((moment - START).total_seconds())
    return play(seconds, f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03}Z")


@dataclass
class Life:
    """One process of the scheduler: its memory after its start and before its end, and how long it took to stop."""

    first_mb: float = 0.0
    last_mb: float = 0.0
    highest_mb: float = 0.0
    stop_seconds: float = 0.0
    was_building: bool = False
    exit_code: int | None = None


@dataclass
class Report:
    """What came of a simulation."""

    lives: list[Life]
    played: Counter[str]
    received: Counter[str]
    """plays in poll files, by key"""
    state: AccountState
    lines: list[dict[str, Any]] = field(default_factory=list)
    """of the scheduler's log"""

    def events(self, event: str, **values: Any) -> list[dict[str, Any]]:
        """Lines of the log."""
        return [line for line in self.lines if line["event"] == event and values.items() <= line.items()]


class Simulation:
    """Use `run` once. Everything lies in the folder."""

    def __init__(self, folder: Path, server: LivingSpotify, clock: SharedClock, *, is_steady: bool = False) -> None:
        self.folder, self.server, self.clock, self.is_steady = folder, server, clock, is_steady
        self.log, self.inbox, self.state_dir = folder / "log", folder / "inbox", folder / "state"
        (folder / "landing").mkdir(parents=True, exist_ok=True)
        self.log.touch()
        granted = server.grant(ACCOUNT, CLIENT_ID)
        token = Token(
            source=SOURCE,
            account_id=ACCOUNT,
            listener=LISTENER,
            name="Vega",
            client_id=CLIENT_ID,
            scope="user-read-recently-played",
            refresh_token=granted["refresh_token"],
            access_token=granted["access_token"],
            expires_at=dt.datetime.now(dt.timezone.utc),
            # Ends in about three weeks, which is announced once a day.
            consented_at=START - dt.timedelta(days=160),
        )
        TokenStore(self.state_dir, SOURCE).write(token)

    def environment(self) -> dict[str, str]:
        """That of the scheduler and of its children."""
        named = {
            "LAKEHOUSE_INBOX": self.inbox,
            "LAKEHOUSE_STATE_DIR": self.state_dir,
            "LAKEHOUSE_SPOTIFY_API_URL": f"{self.server.url}/v1",
            "LAKEHOUSE_SPOTIFY_ACCOUNTS_URL": self.server.url,
            "CLIENT_ID": CLIENT_ID,
            "PYTHONPATH": PROJECT_ROOT,
        }
        kept = {
            name: value for name, value in os.environ.items() if not name.startswith(("LAKEHOUSE_", "LASTFM", "LISTENBRAINZ"))
        }
        return kept | {name: str(value) for name, value in named.items()}

    def run(
        self, ends: Sequence[dt.datetime], *, build: Sequence[str], settings: Mapping[str, str], in_build: bool = False
    ) -> Report:
        """Live until each of `ends`, with a restart in between; `build` are options of the builds.

        With `in_build`, every other life ends while a build runs.
        """
        lives = [self._live(end, in_build and number % 2 == 1, build, settings) for number, end in enumerate(ends)]
        played = Counter(f"{one['played_at']}|{one['track']['uri']}" for one in self.server.played())
        place = AccountPlace(self.inbox, SOURCE, ACCOUNT)
        received = Counter[str]()
        with poll_files(place) as files:
            for file in files:
                envelope = file.envelope()
                items = [envelope.answer["items"][position] for position in envelope.new]
                received.update(f"{one['played_at']}|{one['track']['uri']}" for one in items)
        lines = [json.loads(line) for line in self.log.read_text().splitlines()]
        return Report(lives, played, received, load_state(place, LISTENER), lines)

    def _live(self, end: dt.datetime, in_build: bool, build: Sequence[str], settings: Mapping[str, str]) -> Life:
        places = ["--landing", str(self.folder / "landing"), "--lakehouse", str(self.folder / "lakehouse")]
        program = [sys.executable, "-m", "tests.scheduling.simulated_clock", str(self.folder / "clock")]
        program += [str(self.clock.speed), "steady" if self.is_steady else "jumping"]
        life = Life()
        with self.log.open("a") as log:
            process = subprocess.Popen(
                [*program, "--heartbeat", str(self.folder / "heartbeat"), *places, *build],
                stdout=log,
                stderr=log,
                env=self.environment() | settings,
                cwd=self.folder,
            )
            try:
                self._watch(process, life, end, in_build=in_build)
                began = time.monotonic()
                process.send_signal(signal.SIGTERM)
                life.exit_code = process.wait(60)
                life.stop_seconds = time.monotonic() - began
            finally:
                process.kill()
                process.wait()
        return life

    def _watch(self, process: subprocess.Popen[bytes], life: Life, end: dt.datetime, *, in_build: bool) -> None:
        """Until the end; with `in_build`, until a build runs after it, up to twelve hours later."""
        memory, polls = psutil.Process(process.pid), self._polls()
        while process.poll() is None and self.clock.now() < end:
            time.sleep(0.05)
            now = memory.memory_info().rss / 2**20
            if not life.first_mb and self._polls() > polls:
                life.first_mb = now
            life.last_mb, life.highest_mb = now, max(life.highest_mb, now)
        while in_build and process.poll() is None and self.clock.now() < end + 12 * HOUR and not life.was_building:
            time.sleep(0.05)
            life.was_building = '"status": "started"' in self.log.read_text().splitlines()[-1]
        if life.was_building:
            # In the middle of it.
            time.sleep(2)
        assert process.poll() is None, self.log.read_text()[-2000:]

    def _polls(self) -> int:
        return self.log.read_text().count('"event": "poll"')
