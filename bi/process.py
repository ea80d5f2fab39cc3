"""Servers as background processes: started once, found again by another command, stopped with all their children."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

STOP_SECONDS = 30.0
TICK_SECONDS = 0.2
CONNECT_SECONDS = 1.0
LOG_LINES = 15


class StackError(Exception):
    """The stack cannot do what it was asked for; the message says why and what helps."""


@dataclass(frozen=True)
class Server:
    """A server of the stack. Its pid and start time are kept in `folder`, its output in `log`."""

    name: str
    folder: Path
    log: Path
    stop_signal: signal.Signals = signal.SIGTERM

    @property
    def _pid_file(self) -> Path:
        return self.folder / f"{self.name}.pid"

    def process(self) -> psutil.Process | None:
        """The running process, or None; a pid that was given to another program since is none."""
        try:
            pid, started = self._pid_file.read_text().split()
            found = psutil.Process(int(pid))
            is_same = abs(found.create_time() - float(started)) < 1 and found.status() != psutil.STATUS_ZOMBIE
        except (FileNotFoundError, ValueError, psutil.NoSuchProcess):
            return None
        return found if is_same else None

    def start(self, command: Sequence[str], environment: Mapping[str, str]) -> None:
        """Start detached from this terminal, unless it runs. `environment` is the whole of it."""
        if self.process() is not None:
            return
        self.folder.mkdir(parents=True, exist_ok=True)
        self.log.parent.mkdir(parents=True, exist_ok=True)
        if self.log.is_file():
            # A failed start must not be told with the lines of an earlier one; the last one's stay for whoever looks.
            self.log.replace(self.log.with_suffix(".log.1"))
        with os.fdopen(os.open(self.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "ab") as output:
            started = subprocess.Popen(  # noqa: S603
                list(command),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env=dict(environment),
                start_new_session=True,
            )
        self._pid_file.write_text(f"{started.pid} {psutil.Process(started.pid).create_time()}")

    def wait(self, is_ready: Callable[[], bool], seconds: float) -> None:
        """Wait until the server answers. Raises StackError when it ends or takes longer, with the end of its log."""
        end = time.monotonic() + seconds
        while not is_ready():
            if self.process() is None:
                raise StackError(f"{self.name} ended while starting.\n{self.tail()}")
            if time.monotonic() > end:
                raise StackError(f"{self.name} was not ready after {seconds:.0f} s; see {self.log}\n{self.tail()}")
            time.sleep(TICK_SECONDS)

    def stop(self) -> bool:
        """End the server and its children; whether it ran. Kills what does not end within STOP_SECONDS."""
        running = self.process()
        if running is not None:
            family = [running, *running.children(recursive=True)]
            running.send_signal(self.stop_signal)
            _, left = psutil.wait_procs(family, timeout=STOP_SECONDS)
            for process in left:
                process.kill()
            psutil.wait_procs(left, timeout=STOP_SECONDS)
        self._pid_file.unlink(missing_ok=True)
        return running is not None

    def tail(self) -> str:
        """The last lines of the log."""
        if not self.log.is_file():
            return ""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-LOG_LINES:])


def port_problem(name: str, port: int, setting: str) -> list[str]:
    """That a port is taken by another program, with the setting to change."""
    with socket.socket() as probe:
        probe.settimeout(CONNECT_SECONDS)
        if probe.connect_ex(("127.0.0.1", port)):
            return []
    return [f"port {port}, which {name} needs, is in use; set LAKEHOUSE_BI_{setting}_PORT to a free one"]
