"""A command in a process of its own: its memory is given back when it ends, and its crash is not the scheduler's."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Protocol

from lakehouse.settings import PROJECT_ROOT

# A longer document is not read, so that the scheduler stays small: 8 MiB take 25 MB for a moment.
MOST_OUTPUT = 16 * 2**20
LAST_ERRORS = 64 * 2**10


@dataclass(frozen=True)
class Ended:
    """What a command left behind."""

    exit_code: int
    """negative: the number of the signal that ended it"""
    seconds: float
    output: str
    """standard output; empty if longer than 16 MiB"""
    errors: str
    """the last 64 KiB of standard error"""


class Process(Protocol):
    """A command that was started."""

    def ended(self) -> Ended | None:
        """What it left behind; None while it runs."""

    def interrupt(self) -> None:
        """Ask it to end, as Ctrl-C does."""

    def kill(self) -> None:
        """End it and all that it started."""


class Child:
    """A real process, with these settings in its environment. Raises OSError where none can be started."""

    def __init__(self, command: Sequence[str], settings: Mapping[str, str]) -> None:
        # Files instead of pipes: nobody has to read while it runs.
        self._output, self._errors = tempfile.TemporaryFile(), tempfile.TemporaryFile()  # noqa: SIM115
        self._began = time.monotonic()
        # In a session of its own, so that Ctrl-C in the terminal reaches it once, and through the scheduler.
        self._process = subprocess.Popen(  # noqa: S603
            command,
            stdin=subprocess.DEVNULL,
            stdout=self._output,
            stderr=self._errors,
            env={**os.environ, **settings},
            start_new_session=True,
        )

    def ended(self) -> Ended | None:
        code = self._process.poll()
        if code is None:
            return None
        ended = Ended(code, time.monotonic() - self._began, _whole(self._output), _last(self._errors))
        self._output.close()
        self._errors.close()
        return ended

    def interrupt(self) -> None:
        self._process.send_signal(signal.SIGINT)

    def kill(self) -> None:
        if self._process.poll() is None:
            # Its number is its group's, and stays taken until the process is asked for its exit code.
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()


def lakehouse(*arguments: str) -> list[str]:
    """A command of the lakehouse, by this interpreter."""
    return [sys.executable, str(PROJECT_ROOT / "run_pipeline.py"), *arguments]


def build_command(arguments: Sequence[str]) -> list[str]:
    """A build; the scheduler never builds the demo."""
    return lakehouse("run", "--no-demo", "--json", *arguments)


def poll_command(landing: str | None) -> list[str]:
    """A poll of all accounts into the inbox, which may be in the landing folder."""
    return lakehouse("poll", "--json", *([] if landing is None else ["--landing", landing]))


def notify_command(landing: str | None) -> list[str]:
    """Telling the webhook what needs a person. Its address is in the environment, not in the list of processes."""
    return lakehouse("notify", *([] if landing is None else ["--landing", landing]))


def maintain_command(lakehouse_folder: Path) -> list[str]:
    """An upkeep of the lakehouse that builds write, whatever another run in this folder wrote."""
    return lakehouse("maintain", "--json", "--lakehouse", str(lakehouse_folder))


def _whole(file: IO[bytes]) -> str:
    size = file.seek(0, os.SEEK_END)
    file.seek(0)
    return "" if size > MOST_OUTPUT else file.read().decode("utf-8", "replace")


def _last(file: IO[bytes]) -> str:
    size = file.seek(0, os.SEEK_END)
    file.seek(max(size - LAST_ERRORS, 0))
    return file.read().decode("utf-8", "replace")
