"""The poll that follows a new connection, so that its plays need not wait for the scheduler."""

from __future__ import annotations

import asyncio

from scheduling.child import lakehouse
from service import commands
from service.access_log import log
from service.runs import Runs
from service.settings import ServiceSettings

SECONDS = 900.0


class Polls:
    """Polls a listener's accounts in a process of its own, then has a run read what came."""

    def __init__(self, settings: ServiceSettings, runs: Runs) -> None:
        self._settings, self._runs = settings, runs
        self._tasks: set[asyncio.Task[None]] = set()

    def start(self, listener: str) -> None:
        """Poll now. An account that another process is polling is left to that."""
        task = asyncio.create_task(self._poll(listener))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _poll(self, listener: str) -> None:
        places = ("--landing", str(self._settings.landing), "--lakehouse", str(self._settings.dir))
        try:
            ended = await commands.run(lakehouse("poll", "--json", "--user", listener, *places), self._settings, SECONDS)
        except commands.CommandError as error:
            log.warning("a poll did not end well: %s", error)
            return
        log.info("a poll ended with exit code %d", ended.exit_code)
        self._runs.start()
