"""Kills a poll and the build after it at random moments, runs both again, and compares the tables with an uninterrupted run's."""

from __future__ import annotations

import datetime as dt
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from deltalake import DeltaTable

from tests.live.services import Services
from tests.polling.server import Listen

ROOT = Path(__file__).resolve().parent.parent
FIRST, SPACING = 1_700_000_000, 300
KNOWN = 100
"""plays that an earlier poll received: later ones are read down to them"""
TABLES = ("silver.plays", "silver.listening_with_features", "gold.top_artists", "gold.daily_listening")


@dataclass
class Trial:
    """One lakehouse whose poll and build are killed."""

    seconds: float
    """from the start of the poll to the kill"""
    stage: str
    """what was killed: poll, build, or nothing as both had ended"""
    differences: list[str]


class Place:
    """A landing folder and a lakehouse, and the commands over them."""

    def __init__(self, folder: Path, server: Services) -> None:
        self.folder, self.server = folder, server
        for name in ("landing", "home"):
            (folder / name).mkdir(parents=True, exist_ok=True)

    def commands(self) -> list[list[str]]:
        """The poll, then the build."""
        landing = ["--landing", str(self.folder / "landing")]
        only = [word for table in TABLES for word in ("--only", table)]
        return [
            ["poll", *landing],
            ["run", *landing, "--lakehouse", str(self.folder / "lakehouse"), "--engine", "embedded", *only],
        ]

    def start(self, words: list[str]) -> subprocess.Popen[bytes]:
        """A command in a process group of its own."""
        environment = {name: value for name, value in os.environ.items() if not name.startswith("LAKEHOUSE_")}
        environment |= self.server.settings() | {
            "PYTHONPATH": str(ROOT),
            "LAKEHOUSE_STATE_DIR": str(self.folder / "state"),
            "LASTFM_USERS": '{"anna": "anna"}',
            "LISTENBRAINZ_USERS": '{"ben": "ben"}',
            "LAKEHOUSE_LASTFM_CALLS": "10000",
            "LAKEHOUSE_LISTENBRAINZ_CALLS": "10000",
            "ALLOW_SYNTHETIC": "false",
        }
        with (self.folder / "said.txt").open("ab") as said:
            return subprocess.Popen(  # noqa: S603
                [sys.executable, str(ROOT / "run_pipeline.py"), *words],
                cwd=self.folder / "home",
                env=environment,
                stdout=said,
                stderr=said,
                start_new_session=True,
            )

    def run(self) -> list[float]:
        """Poll and build; returns the seconds of each. Raises CalledProcessError."""
        seconds = []
        for words in self.commands():
            started = time.monotonic()
            process = self.start(words)
            if process.wait() != 0:
                raise subprocess.CalledProcessError(process.returncode, words, (self.folder / "said.txt").read_bytes()[-2000:])
            seconds.append(time.monotonic() - started)
        return seconds

    def run_killed(self, seconds: float) -> str:
        """Poll and build, killed with all their children after so many seconds; returns what was killed."""
        ends = time.monotonic() + seconds
        for words in self.commands():
            process = self.start(words)
            try:
                process.wait(max(0.0, ends - time.monotonic()))
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
                return words[0]
        return "nothing"

    def content(self) -> dict[str, list[str]]:
        """All tables of bronze, silver and gold, in no order and without lineage."""
        tables = {}
        for path in sorted((self.folder / "lakehouse").glob("[bsg]*/*")):
            rows = DeltaTable(path).to_pyarrow_table()
            named = [name for name in rows.column_names if not name.startswith("_")]
            tables[f"{path.parent.name}.{path.name}"] = sorted(map(repr, rows.select(named).to_pylist()))
        return tables


def history(count: int, artist: str) -> list[Listen]:
    """Listens five minutes apart, of 97 tracks."""
    return [Listen(FIRST + SPACING * n, f"{artist} {n % 13}", f"Tide {n % 97}", "North") for n in range(count)]


@contextmanager
def services(plays: int) -> Iterator[tuple[Services, list[Listen], list[Listen]]]:
    """The server, and the histories that it does not yet tell of."""
    each = plays // 2
    with Services() as server:
        # The date is in each file: the same for all, so that their hashes are.
        date = dt.datetime.fromtimestamp(FIRST + SPACING * plays, dt.timezone.utc)
        server.now = lambda: date
        yield server, history(each, "Vega"), history(plays - each, "Lyra")


def kills(folder: Path, *, times: int, plays: int, seed: int) -> Iterator[Trial]:
    """Kill `times` times, each time from the same beginning: an account of which 100 plays were received, and no lakehouse."""
    chosen = random.Random(seed)  # noqa: S311
    with services(plays) as (server, anna, ben):
        server.music.lastfm, server.music.listenbrainz = {"anna": anna[:KNOWN]}, {"ben": ben[:KNOWN]}
        base = Place(folder / "base", server)
        poll, _ = base.commands()
        if base.start(poll).wait() != 0:
            raise RuntimeError((base.folder / "said.txt").read_text())
        server.music.lastfm, server.music.listenbrainz = {"anna": anna}, {"ben": ben}
        whole = _copy(base, folder / "whole")
        poll_seconds, build_seconds = whole.run()
        wanted = whole.content()
        if sum("disposition': 'kept'" in row for row in wanted["silver.plays"]) != plays:
            raise RuntimeError("the uninterrupted run has not each play once")
        for _ in range(times):
            # As often while it polls as while it builds, which takes longer.
            is_poll = chosen.random() < 0.5
            seconds = chosen.uniform(0.05, poll_seconds) if is_poll else poll_seconds + chosen.uniform(0.05, build_seconds)
            place = _copy(base, folder / "trial")
            stage = place.run_killed(seconds)
            place.run()
            found = place.content()
            names = sorted(found.keys() | wanted.keys())
            yield Trial(seconds, stage, [name for name in names if found.get(name) != wanted.get(name)])
            shutil.rmtree(place.folder)


def _copy(base: Place, folder: Path) -> Place:
    shutil.copytree(base.folder, folder)
    return Place(folder, base.server)
