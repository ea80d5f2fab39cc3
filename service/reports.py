"""The report on a listener, fresh from the tables: made by `lakehouse report` in a process of its own, kept in memory only."""

from __future__ import annotations

import asyncio
import re
import shutil
import tempfile
from html import unescape
from pathlib import Path

from starlette.concurrency import run_in_threadpool

from polling.files import make_folder
from scheduling.child import lakehouse
from service import commands
from service.settings import ServiceSettings
from service.snapshot import key

CHILD_SECONDS = 120.0
# Reports have 1 to 3 MB.
KEPT = 3
PREFIX = ".report-"
POLICY = re.compile(rb'<meta http-equiv="Content-Security-Policy" content="([^"]+)">')
HEAD_BYTES = 4096


class ReportError(Exception):
    """A report that could not be made; the message is for the admin, as it may name other listeners."""


class Reports:
    """Makes one report at a time, as drawing takes memory; one that was made since the last run is given again."""

    def __init__(self, settings: ServiceSettings) -> None:
        self.settings = settings
        self._made: dict[str, tuple[str, bytes]] = {}
        self._drawing = asyncio.Lock()

    def clean(self) -> None:
        """Remove what a service that was killed left behind. Raises OSError."""
        for folder in self.settings.state_dir.glob(f"{PREFIX}*"):
            shutil.rmtree(folder)

    async def of(self, listener: str) -> bytes:
        """The page on a listener. Raises ReportError and OSError."""
        async with self._drawing:
            now = await run_in_threadpool(key, self.settings)
            seen, content = self._made.get(listener, ("", b""))
            if seen != now:
                content = await self._draw(listener)
                self._made.pop(listener, None)
                self._made[listener] = now, content
                if len(self._made) > KEPT:
                    del self._made[next(iter(self._made))]
            return content

    async def _draw(self, listener: str) -> bytes:
        make_folder(self.settings.state_dir)
        with tempfile.TemporaryDirectory(prefix=PREFIX, dir=self.settings.state_dir) as folder:
            out = Path(folder) / "report.html"
            words = ["--lakehouse", str(self.settings.dir), f"--user={listener}", "--out", str(out)]
            try:
                ended = await commands.run(lakehouse("report", *words), self.settings, CHILD_SECONDS)
            except commands.CommandError as error:
                raise ReportError(str(error)) from error
            if ended.exit_code != 0:
                raise ReportError(ended.errors.strip().removeprefix("error: ") or f"exit code {ended.exit_code}")
            return await run_in_threadpool(out.read_bytes)


def policy_of(content: bytes) -> str:
    """The policy that a report declares for itself, which names its scripts by hash, in a sandbox apart from the service.

    Raises ReportError for a page without one.
    """
    found = POLICY.search(content[:HEAD_BYTES])
    if found is None:
        raise ReportError("the report declares no policy")
    return f"{unescape(found[1].decode())}; frame-ancestors 'none'; sandbox allow-scripts"
