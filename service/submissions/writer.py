"""The one writer of journals: many requests share one fsync, and none is acknowledged before it."""

from __future__ import annotations

import asyncio
import datetime as dt
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import groupby
from operator import attrgetter
from pathlib import Path
from typing import NamedTuple

from filelock import FileLock

from service.submissions.closing import close_left, lock_journals
from service.submissions.journal import Journal, close_journal

# A run holds the lock for the moment in which it closes what a killed writer left.
LOCK_SECONDS = 10
HOUR = 3600

_logger = logging.getLogger(__name__)


class _Waiting(NamedTuple):
    listener: str
    lines: bytes
    done: asyncio.Future[None]


def utc_now() -> dt.datetime:
    """The time by this machine's clock."""
    return dt.datetime.now(dt.timezone.utc)


class Writer:
    """The journals of an inbox, written by one thread. To be used in one event loop."""

    def __init__(self, inbox: Path, now: Callable[[], dt.datetime] = utc_now) -> None:
        self._inbox, self._now = inbox, now
        self._thread = ThreadPoolExecutor(1, "journals")
        self._lock: FileLock | None = None
        self._open: dict[str, Journal] = {}
        self._waiting: list[_Waiting] = []
        self._task: asyncio.Task[None] | None = None
        self._turn: asyncio.TimerHandle | None = None

    async def append(self, listener: str, lines: bytes) -> None:
        """Returns once the lines are on disk. Raises OSError and BusyError; the lines are then in no journal."""
        loop = asyncio.get_running_loop()
        done: asyncio.Future[None] = loop.create_future()
        self._waiting.append(_Waiting(listener, lines, done))
        if self._task is None:
            self._task = loop.create_task(self._write_groups())
        await done

    async def turn(self) -> None:
        """Close the journals of hours that are over, and what could not be closed before."""
        if self._lock is not None:
            await asyncio.get_running_loop().run_in_executor(self._thread, self._close_past)
        self._wait_for_turn()

    async def close(self) -> None:
        """Close all journals, and let another process write."""
        if self._task is not None:
            await self._task
        if self._turn is not None:
            self._turn.cancel()
        await asyncio.get_running_loop().run_in_executor(self._thread, self._close_all)
        self._thread.shutdown()

    async def _write_groups(self) -> None:
        """Each group is what came while the one before it was written."""
        loop = asyncio.get_running_loop()
        while self._waiting:
            group, self._waiting = self._waiting, []
            failures = await loop.run_in_executor(self._thread, self._write, group)
            for one in group:
                failure = failures.get(one.listener)
                if one.done.done():
                    continue
                if failure is None:
                    one.done.set_result(None)
                else:
                    one.done.set_exception(failure)
        self._task = None
        if self._turn is None:
            self._wait_for_turn()

    def _wait_for_turn(self) -> None:
        left = HOUR - self._now().timestamp() % HOUR + 1
        loop = asyncio.get_running_loop()
        self._turn = loop.call_later(left, lambda: loop.create_task(self.turn()))

    def _write(self, group: list[_Waiting]) -> dict[str, Exception]:
        """Write the lines of a group; returns what went wrong, by listener."""
        failures: dict[str, Exception] = {}
        by_listener = attrgetter("listener")
        for listener, waiting in groupby(sorted(group, key=by_listener), key=by_listener):
            try:
                self._journal(listener).append(b"".join(one.lines for one in waiting))
            except Exception as error:
                # It is raised where the lines came from.
                failures[listener] = error
                self._close(listener)
        return failures

    def _journal(self, listener: str) -> Journal:
        if self._lock is None:
            self._lock = lock_journals(self._inbox, seconds=LOCK_SECONDS)
            close_left(self._inbox)
        journal = self._open.get(listener)
        if journal is not None and not journal.accepts(self._now()):
            self._close(listener)
            journal = None
        if journal is None:
            journal = self._open[listener] = Journal(self._inbox, listener, self._now())
        return journal

    def _close(self, listener: str) -> None:
        """What cannot be closed now is closed by a later turn, the next start or a run."""
        journal = self._open.pop(listener, None)
        if journal is None:
            return
        try:
            journal.release()
            close_journal(journal.path)
        except OSError as error:
            _logger.warning("%s cannot be closed: %s; it is tried again", journal.path, error.strerror)

    def _close_past(self) -> None:
        for listener, journal in list(self._open.items()):
            if not journal.accepts(self._now()):
                self._close(listener)
        close_left(self._inbox, [journal.path for journal in self._open.values()])

    def _close_all(self) -> None:
        for listener in list(self._open):
            self._close(listener)
        if self._lock is not None:
            self._lock.release()
            self._lock = None
