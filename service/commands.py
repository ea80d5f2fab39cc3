"""Commands of the lakehouse as child processes, whose memory is given back: the service itself reads no table."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from lakehouse.settings import PROJECT_ROOT
from service.settings import ServiceSettings

LAST_ERRORS = 4096


@dataclass(frozen=True)
class Ended:
    """What a command left behind."""

    exit_code: int
    output: bytes
    errors: str
    """the last 4 KiB of standard error"""


class CommandError(Exception):
    """A command that could not be run to its end; the message is for people."""


def environment(settings: ServiceSettings) -> Mapping[str, str]:
    """The environment of a command over the same folders, whatever options the service was started with."""
    places = {"DIR": settings.dir, "LANDING": settings.landing, "INBOX": settings.inbox, "STATE_DIR": settings.state_dir}
    named = {f"LAKEHOUSE_{name}": str(path) for name, path in places.items() if path is not None}
    return {**os.environ, **named, "PYTHONPATH": str(PROJECT_ROOT)}


def module(name: str) -> list[str]:
    """A module of the project as a program, by this interpreter."""
    # Not with modules of the current folder (-P).
    return [sys.executable, "-P", "-m", name]


async def run(command: Sequence[str], settings: ServiceSettings, seconds: float) -> Ended:
    """Run a command to its end. Raises CommandError when it takes longer than `seconds` or cannot be started."""
    try:
        process = await asyncio.create_subprocess_exec(
            *command,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env=environment(settings),
            start_new_session=True,
        )
    except OSError as error:
        raise CommandError(f"a process could not be started: {error.strerror}") from error
    try:
        output, errors = await asyncio.wait_for(process.communicate(), seconds)
    except TimeoutError as error:
        raise CommandError(f"it took longer than {seconds:.0f} s") from error
    finally:
        if process.returncode is None:
            # Its number is its group's, and stays taken until the process is waited for.
            os.killpg(process.pid, signal.SIGKILL)
            await process.wait()
    return Ended(process.returncode or 0, output, errors[-LAST_ERRORS:].decode("utf-8", "replace"))
