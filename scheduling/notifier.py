"""Starts `lakehouse notify` after polls and builds, one at a time, and logs when nobody could be told."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence

from lakehouse.cli.errors import LOCKED, OK
from scheduling import log
from scheduling.child import Process
from scheduling.results import said

# It gives up by itself long before.
KILL_SECONDS = 120.0


class Notifier:
    """Without a command it does nothing: there is no webhook."""

    def __init__(self, command: Sequence[str] | None, start: Callable[[Sequence[str], Mapping[str, str]], Process]) -> None:
        self._command, self._start = command, start
        self._process: Process | None = None
        self._began = 0.0
        self._is_asked = False
        self._build_exit_code: int | None = None

    @property
    def is_busy(self) -> bool:
        """Whether somebody is being told."""
        return self._process is not None

    def ask(self, build_exit_code: int | None = None) -> None:
        """Something ended, perhaps a build: the next tick looks what needs a person."""
        self._is_asked = True
        # Passed again until the next build ends, as the message about a failed one may not have been taken.
        if build_exit_code not in (None, LOCKED):
            self._build_exit_code = build_exit_code

    def tick(self) -> None:
        """Read what a process left behind, and start the next one."""
        self._collect()
        if self._command is None or self._process is not None or not self._is_asked:
            return
        self._is_asked = False
        code = [] if self._build_exit_code is None else ["--build-exit-code", str(self._build_exit_code)]
        try:
            self._process = self._start([*self._command, *code], {})
        except OSError as error:
            log.warn("notify", f"nobody could be told: {error}")
        self._began = time.monotonic()

    def end(self) -> None:
        """Stop at once; what was not told is told after the next poll."""
        if self._process is not None:
            self._process.kill()
            self._process = None

    def _collect(self) -> None:
        if self._process is None:
            return
        ended = self._process.ended()
        if ended is None:
            if time.monotonic() - self._began > KILL_SECONDS:
                log.warn("notify", f"telling took more than {KILL_SECONDS:.0f} s and was ended")
                self.end()
            return
        self._process = None
        if ended.exit_code not in (OK, LOCKED):
            reasons = "; ".join(line.message for line in said(ended)) or f"exit code {ended.exit_code}"
            log.warn("notify", f"nobody could be told: {reasons}", exit_code=ended.exit_code)
