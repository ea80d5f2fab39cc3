"""Runs that the service starts: child processes, one at a time, that outlive it; and how far any run of the lakehouse is."""

from __future__ import annotations

import asyncio
import datetime as dt
import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass

from starlette.concurrency import run_in_threadpool

from lakehouse.cli.errors import LOCKED
from lakehouse.cli.progress import Progress, read
from polling.files import make_folder
from scheduling.child import Child, Ended, build_command
from scheduling.results import build_result, said
from service import commands
from service.access_log import log
from service.settings import ServiceSettings

TICK_SECONDS, AGAIN_SECONDS = 1.0, 5.0


@dataclass(frozen=True)
class Result:
    """What came of the last run that the service started."""

    ended_at: dt.datetime
    exit_code: int
    summary: str
    problems: Sequence[str]


class Runs:
    """Starts a run when one is asked for; one that is asked for while another is running follows it."""

    def __init__(self, settings: ServiceSettings) -> None:
        self.settings = settings
        self.last: Result | None = None
        self.is_wanted = False
        """whether a run is to start as soon as none is running"""
        self._child: Child | None = None
        self._not_before = 0.0

    @property
    def is_running(self) -> bool:
        """Whether a run that was asked for is under way, or waits for another one to end."""
        return self._child is not None or self.is_wanted

    def start(self) -> None:
        """Have a run read what has come and build what is stale, now or after the one that is under way."""
        self.is_wanted = True

    def progress(self) -> Progress | None:
        """How far a run of this lakehouse is, whoever started it. Raises OSError."""
        return read(self.settings.dir)

    async def watch(self) -> None:
        """Start and collect runs until cancelled."""
        while True:
            try:
                await run_in_threadpool(self.tick)
            except Exception:
                # One that fails must not be the last: a run may still be asked for.
                log.exception("a run could not be looked after", extra={"event": "run"})
            await asyncio.sleep(TICK_SECONDS)

    def tick(self) -> None:
        """Collect a run that ended, start one that is wanted."""
        ended = self._child.ended() if self._child is not None else None
        if ended is not None:
            self._child = None
            self._collect(ended)
        if self.is_wanted and self._child is None and time.monotonic() >= self._not_before:
            self.is_wanted = False
            self._begin()

    def _begin(self) -> None:
        places = ["--landing", str(self.settings.landing), "--lakehouse", str(self.settings.dir)]
        try:
            # `run` takes a landing folder that is named for one that has to be there.
            make_folder(self.settings.landing)
            self._child = Child(build_command(places), commands.environment(self.settings))
        except OSError as error:
            self.is_wanted, self._not_before = True, time.monotonic() + AGAIN_SECONDS
            log.error("a run could not be started: %s", error, extra={"event": "run"})

    def _collect(self, ended: Ended) -> None:
        if ended.exit_code == LOCKED:
            # Another run may have looked for files before the one that is wanted was there.
            self.is_wanted, self._not_before = True, time.monotonic() + AGAIN_SECONDS
            return
        result = build_result(ended)
        lines = [line.message for line in (*result.lines(), *said(ended)) if line.level >= logging.WARNING]
        summary = result.summary(ended.seconds)
        self.last = Result(dt.datetime.now(dt.timezone.utc), ended.exit_code, summary, lines)
        log.info("%s", summary, extra={"event": "run", "values": {**result.values(), "exit_code": ended.exit_code}})
