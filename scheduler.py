"""Build the lakehouse immediately, then every few hours (LAKEHOUSE_INTERVAL_HOURS), one run at a time, until stopped."""

from __future__ import annotations

import argparse
import logging
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from types import FrameType

import schedule
from pydantic import ValidationError
from pydantic_settings import SettingsError

from lakehouse.cli.errors import USAGE, invalid_settings, print_error
from lakehouse.settings import PROJECT_ROOT, Settings

log = logging.getLogger("scheduler")
TICK_SECONDS = 1.0
STOP_SECONDS = 60.0


class Scheduler:
    """Runs the pipeline in a child process, so that memory is given back and a crash stays a child's.

    It touches the file `heartbeat` every second, also during a run. An older file means that the scheduler no longer responds.
    """

    def __init__(self, arguments: Sequence[str], heartbeat: Path | None = None) -> None:
        self.heartbeat = heartbeat
        self.command = [sys.executable, str(PROJECT_ROOT / "run_pipeline.py"), "run", "--no-demo", *arguments]
        self.stopping = threading.Event()
        self.child: subprocess.Popen[bytes] | None = None

    def build(self) -> None:
        """One run; returns when it ended, or was ended because the scheduler stops."""
        log.info("run started")
        self.child = subprocess.Popen(self.command)  # noqa: S603
        while self.child.poll() is None:
            if self._tick():
                self._end(self.child)
        log.info("run ended with exit code %s", self.child.returncode)

    def _tick(self) -> bool:
        """Wait a moment; whether the scheduler is to stop."""
        if self.heartbeat is not None:
            self.heartbeat.touch()
        return self.stopping.wait(TICK_SECONDS)

    def _end(self, child: subprocess.Popen[bytes]) -> None:
        child.send_signal(signal.SIGINT)
        try:
            child.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()

    def stop(self, number: int, frame: FrameType | None) -> None:
        """Signal handler: end the current run, then the scheduler."""
        log.info("stopping on %s", signal.Signals(number).name)
        self.stopping.set()

    def loop(self, hours: float) -> None:
        """Build at once and then every `hours`, until stopped."""
        timetable = schedule.Scheduler()
        timetable.every(round(hours * 3600)).seconds.do(self.build)
        timetable.run_all()
        while not self.stopping.is_set():
            log.info("next run at %s", f"{timetable.next_run:%Y-%m-%d %H:%M:%S}")
            while not self._tick():
                if (timetable.idle_seconds or 0) <= 0:
                    timetable.run_pending()
                    break


def main() -> int:
    """Parse options, build until SIGTERM or SIGINT; exit code 0, or 2 for wrong settings."""
    parser = argparse.ArgumentParser(description=__doc__, epilog="Any other option is passed to `lakehouse run`.")
    parser.add_argument("--every", type=float, metavar="HOURS", help="hours between runs (default LAKEHOUSE_INTERVAL_HOURS, 6)")
    parser.add_argument("--heartbeat", type=Path, metavar="FILE", help="touch this file every second, for a health check")
    options, arguments = parser.parse_known_args()
    if options.heartbeat is not None and not options.heartbeat.parent.is_dir():
        parser.error(f"--heartbeat: {options.heartbeat.parent} is not a folder")
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(message)s")
    try:
        settings = Settings() if options.every is None else Settings(interval_hours=options.every)
    except (ValidationError, SettingsError) as error:
        print_error(*invalid_settings(error))
        return USAGE
    scheduler = Scheduler(arguments, options.heartbeat)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, scheduler.stop)
    scheduler.loop(settings.interval_hours)
    return 0


if __name__ == "__main__":
    sys.exit(main())
