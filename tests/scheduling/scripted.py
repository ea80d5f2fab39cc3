"""A scheduler whose time and processes a test writes down."""

from __future__ import annotations

import datetime as dt
import itertools
import json
import random
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from scheduling.child import Ended, Process
from scheduling.scheduler import PLAYS_ONLY, Scheduler
from scheduling.settings import SchedulerSettings
from scheduling.state import SchedulerState, load
from scheduling.timetable import Timetable

START = dt.datetime(2026, 11, 30, 12, tzinfo=dt.timezone.utc)
MINUTE = dt.timedelta(minutes=1)
HOUR = 60 * MINUTE


class FakeClock:
    """Goes on by waiting, and can be set."""

    def __init__(self) -> None:
        self.moment, self.stops_at = START, START + 10_000 * HOUR
        self.step = dt.timedelta(0)
        """every wait takes at least so long, so that days pass sooner"""

    def now(self) -> dt.datetime:
        return self.moment

    def wait(self, seconds: float) -> bool:
        self.moment += max(dt.timedelta(seconds=seconds), self.step)
        return self.moment >= self.stops_at


class FakeProcess:
    """Runs for so long by the clock, and then leaves something behind."""

    def __init__(self, clock: FakeClock, seconds: float, ended: Ended) -> None:
        self.clock, self.ends_at, self.left = clock, clock.moment + dt.timedelta(seconds=seconds), ended
        self.interrupts = 0

    def ended(self) -> Ended | None:
        return self.left if self.clock.moment >= self.ends_at else None

    def interrupt(self) -> None:
        self.interrupts += 1
        self.ends_at, self.left = self.clock.moment, Ended(1, 0.0, "", "stopped\n")

    def kill(self) -> None:
        self.ends_at, self.left = self.clock.moment, Ended(-9, 0.0, "", "")


def outcome(**values: Any) -> dict[str, Any]:
    """An account in the document of a poll."""
    return {
        "source": "spotify_api",
        "account_id": "a1",
        "listener": "anna",
        "status": "polled",
        "new_plays": 0,
        "gaps": [],
    } | values


def polled(*accounts: dict[str, Any], exit_code: int = 0) -> Ended:
    """What a poll leaves behind."""
    return Ended(exit_code, 1.0, json.dumps({"accounts": list(accounts) or [outcome()]}), "")


BUILT = Ended(0, 60.0, json.dumps({"run_id": "r", "outcomes": [], "new_files": []}), "")
SIZE = {"files": 9, "log_files": 1, "bytes": 100}
MAINTAINED = Ended(
    0, 30.0, json.dumps({"tables": [{"table": "silver.plays", "before": SIZE, "after": {**SIZE, "files": 2, "bytes": 70}}]}), ""
)
NO_ACCOUNT = Ended(2, 1.0, "", "error: no account is connected: run `lakehouse connect spotify`\n")
LOCKED = Ended(3, 1.0, "", "error: another run (process 7) is building\n")


class Stage:
    """A scheduler, and when it started what."""

    def __init__(self, folder: Path, **settings: Any) -> None:
        self.clock, self.state_dir = FakeClock(), folder / "state"
        self.settings = SchedulerSettings(_env_file=None, state_dir=self.state_dir, **settings)
        self.started: list[tuple[str, dt.datetime]] = []
        self.poll: Callable[[], Ended] = polled
        self.build: Callable[[], Ended] = lambda: BUILT
        self.maintain: Callable[[], Ended] = lambda: MAINTAINED
        self.seconds = {"poll": 2.0, "plays": 2.0, "build": 60.0, "maintain": 30.0}
        self.processes: list[FakeProcess] = []
        self.told: list[list[str]] = []
        self.notify: Sequence[str] | None = None
        self.notified: Ended = Ended(0, 1.0, "", "")
        self.restart()

    def restart(self) -> None:
        """Another scheduler, with what the last one left in its folder."""
        self.scheduler = Scheduler(
            Timetable(self.settings, random.Random(3)),  # noqa: S311
            ["poll"],
            ["build"],
            ["maintain"],
            clock=self.clock,
            start=self.start,
            state_dir=self.state_dir,
            notify=self.notify,
            state=load(self.state_dir).of_build(("lakehouse",)),
        )

    def start(self, command: Sequence[str], settings: Mapping[str, str]) -> Process:
        name = "plays" if settings == PLAYS_ONLY else command[0]
        self.started.append((name, self.clock.moment))
        if name == "notify":
            self.told.append(list(command[1:]))
            return FakeProcess(self.clock, 1.0, self.notified)
        result = {"build": self.build, "maintain": self.maintain}.get(name, self.poll)
        process = FakeProcess(self.clock, self.seconds[name], result())
        self.processes.append(process)
        return process

    def go(self, time: dt.timedelta) -> None:
        """Let so much time pass, and stop."""
        self.clock.stops_at = self.clock.moment + time
        self.scheduler.loop()

    def times(self, name: str) -> list[dt.datetime]:
        """When it was started."""
        return [moment for one, moment in self.started if one == name]

    def minutes(self, name: str) -> list[float]:
        """From each start to the next."""
        times = self.times(name)
        return [(later - earlier) / MINUTE for earlier, later in itertools.pairwise(times)]

    @property
    def state(self) -> SchedulerState:
        return load(self.state_dir)
