"""The newest snapshot of the lakehouse, made anew by a child process when something changed."""

from __future__ import annotations

import asyncio
import datetime as dt
import json
import time
from typing import Any

from starlette.concurrency import run_in_threadpool

from service import commands
from service.access_log import log
from service.settings import ServiceSettings
from service.snapshot import key

# What depends on the clock, such as an account that waits, is looked at again after this.
OLDEST_SECONDS = 600.0
CHILD_SECONDS = 120.0
PATIENCE = 1.5


class Snapshots:
    """Answers at once with the last snapshot, while a newer one is made; the first one is waited for."""

    def __init__(self, settings: ServiceSettings) -> None:
        self.settings = settings
        self.last: dict[str, Any] | None = None
        self.problem: str | None = None
        """why the last try failed"""
        self._key, self._made_at = "", float("-inf")
        self._making: asyncio.Task[None] | None = None

    async def current(self, patience: float = PATIENCE) -> tuple[dict[str, Any] | None, bool]:
        """The newest snapshot, and whether nothing changed since; None where none could be made, see `problem`.

        A newer one is waited for `patience` seconds; the first one, until it is there.
        """
        found = await run_in_threadpool(key, self.settings)
        if (found != self._key or time.monotonic() - self._made_at > OLDEST_SECONDS) and self._making is None:
            self._making = asyncio.create_task(self._make(found))
        if self._making is not None:
            await asyncio.wait([self._making], timeout=None if self.last is None else patience)
        return self.last, self._making is None

    async def _make(self, found: str) -> None:
        try:
            ended = await commands.run(commands.module("service.snapshot"), self.settings, CHILD_SECONDS)
            if ended.exit_code != 0:
                raise commands.CommandError(ended.errors.strip().splitlines()[-1] if ended.errors.strip() else "it says nothing")
            self.last, self.problem = json.loads(ended.output), None
        except (commands.CommandError, ValueError) as error:
            self.problem = f"the tables could not be read at {dt.datetime.now(dt.timezone.utc):%H:%M} UTC: {error}"
            log.error("%s", self.problem, extra={"event": "snapshot"})
        finally:
            # A failure is tried again when something changes, or when it is old.
            self._key, self._made_at, self._making = found, time.monotonic(), None
