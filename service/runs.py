"""The runs that the service starts, one at a time: `lakehouse run` in a process of its own."""

from __future__ import annotations

import asyncio
import logging
import os
import sys
import tempfile
from typing import IO

from lakehouse.cli.errors import FAILED, LOCKED, OK
from lakehouse.settings import PROJECT_ROOT, Settings

# Another run may take long; its end is not announced.
AGAIN_SECONDS = 15.0
LAST_ERRORS = 4096

log = logging.getLogger("service")


class Runs:
    """Starts runs over one lakehouse. What is asked for while one is under way comes after it, once."""

    def __init__(
        self, settings: Settings, command: tuple[str, ...] = (sys.executable, str(PROJECT_ROOT / "run_pipeline.py"))
    ) -> None:
        self._settings, self._command = settings, command
        self._task: asyncio.Task[None] | None = None
        self._is_wanted = False

    def start(self) -> None:
        """Run now, or after the run that is under way, which may have looked for files before. Needs the event loop."""
        self._is_wanted = True
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._run_all())

    @property
    def is_running(self) -> bool:
        """Whether a run that was asked for is under way, or waits for the one that another process began."""
        return self._task is not None and not self._task.done()

    async def _run_all(self) -> None:
        while self._is_wanted:
            self._is_wanted = False
            if await self._run() == LOCKED:
                self._is_wanted = True
                await asyncio.sleep(AGAIN_SECONDS)

    async def _run(self) -> int:
        """The exit code of a run; what went wrong in it, the lakehouse knows."""
        settings = self._settings
        places = ("--landing", str(settings.landing), "--lakehouse", str(settings.dir))
        environment = {"LAKEHOUSE_INBOX": str(settings.inbox_folder), "LAKEHOUSE_STATE_DIR": str(settings.state_dir)}
        with tempfile.TemporaryFile() as errors:
            process = await asyncio.create_subprocess_exec(
                *self._command,
                *("run", "--no-demo", *places),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.DEVNULL,
                stderr=errors,
                env={**os.environ, **environment},
                # Ctrl-C ends the service; the run goes on, as it would under the scheduler.
                start_new_session=True,
            )
            code = await process.wait()
            if code not in (OK, FAILED, LOCKED):
                log.error("a run ended with exit code %d: %s", code, _last(errors))
        return code


def _last(errors: IO[bytes]) -> str:
    """The end of what a run wrote to standard error."""
    size = errors.seek(0, os.SEEK_END)
    errors.seek(max(size - LAST_ERRORS, 0))
    return errors.read().decode("utf-8", "replace").strip()
