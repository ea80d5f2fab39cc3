"""The program scheduler.py: its options, its one instance, its signals."""

from __future__ import annotations

import argparse
import os
import random
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from types import FrameType

from filelock import FileLock, Timeout
from pydantic import ValidationError
from pydantic_settings import SettingsError

from lakehouse.cli.errors import FAILED, LOCKED, OK, USAGE, invalid_settings, print_error
from polling.files import FILE_MODE, make_folder
from scheduling import log, state
from scheduling.child import Child, build_command, maintain_command, notify_command, poll_command
from scheduling.clock import Clock, SystemClock
from scheduling.scheduler import Scheduler
from scheduling.settings import SchedulerSettings
from scheduling.timetable import Timetable

DESCRIPTION = (
    "Poll the connected accounts every 20 minutes, and build the lakehouse every few hours (LAKEHOUSE_INTERVAL_HOURS) or as soon "
    "as enough new plays have come, one run at a time, and maintain it every week, until stopped."
)
LOCK = ".scheduler.lock"
SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


def main(words: Sequence[str] | None = None) -> int:
    """Poll and build until SIGTERM, SIGINT or SIGHUP; the exit code is as `run` says."""
    clock = SystemClock()
    return run(sys.argv[1:] if words is None else words, clock, clock.stop)


def run(words: Sequence[str], clock: Clock, stop: Callable[[], None], watch: Callable[[Scheduler], None] | None = None) -> int:
    """Poll and build until `stop` is called, as signals do; `watch` is handed the scheduler before it begins.

    Exit codes: 0 stopped, 1 the state folder cannot be used, 2 wrong options or settings, 3 another scheduler uses the folder.
    """
    options, arguments = _parsed(words)
    try:
        settings = _settings(options)
    except (ValidationError, SettingsError) as error:
        print_error(*invalid_settings(error))
        return USAGE
    _hear(stop)
    log.start_log(None, clock.now)
    try:
        make_folder(settings.state_dir)
        with FileLock(settings.state_dir / LOCK, timeout=0, mode=FILE_MODE):
            scheduler = _scheduler(settings, options, arguments, clock)
            if watch is not None:
                watch(scheduler)
            scheduler.loop()
    except Timeout:
        print_error(f"another scheduler uses {settings.state_dir}; a second one needs a LAKEHOUSE_STATE_DIR of its own")
        return LOCKED
    except OSError as error:
        print_error(f"{error.strerror or error}{f': {error.filename}' if error.filename else ''}")
        return FAILED
    return OK


def _parsed(words: Sequence[str]) -> tuple[argparse.Namespace, list[str]]:
    parser = argparse.ArgumentParser(
        prog="scheduler.py", description=DESCRIPTION, epilog="Any other option is passed to `lakehouse run`."
    )
    parser.add_argument("--every", type=float, metavar="HOURS", help="hours between builds (default LAKEHOUSE_INTERVAL_HOURS, 6)")
    parser.add_argument(
        "--landing", metavar="DIR", help="landing folder of builds, and of the inbox in it (default data/landing)"
    )
    parser.add_argument(
        "--lakehouse", metavar="DIR", help="lakehouse folder of builds, which polls look into (default data/lakehouse)"
    )
    parser.add_argument("--heartbeat", type=Path, metavar="FILE", help="touch this file every second, for a health check")
    options, arguments = parser.parse_known_args(words)
    if options.heartbeat is not None and not options.heartbeat.parent.is_dir():
        parser.error(f"--heartbeat: {options.heartbeat.parent} is not a folder")
    places = {"--landing": options.landing, "--lakehouse": options.lakehouse}
    return options, [*(word for place in places.items() if place[1] is not None for word in place), *arguments]


def _settings(options: argparse.Namespace) -> SchedulerSettings:
    if options.lakehouse is not None:
        # Polls, which have no such option, look there for what was heard.
        os.environ["LAKEHOUSE_DIR"] = options.lakehouse
    return SchedulerSettings() if options.every is None else SchedulerSettings(interval_hours=options.every)


def _hear(stop: Callable[[], None]) -> None:
    def handler(number: int, frame: FrameType | None) -> None:
        stop()

    for number in SIGNALS:
        # `nohup` has SIGHUP ignored.
        if signal.getsignal(number) is not signal.SIG_IGN or number != signal.SIGHUP:
            signal.signal(number, handler)


def _scheduler(settings: SchedulerSettings, options: argparse.Namespace, arguments: Sequence[str], clock: Clock) -> Scheduler:
    try:
        remembered = state.load(settings.state_dir)
    except state.StateError as error:
        log.warn("state", str(error))
        remembered = state.SchedulerState()
    log.say(
        "started",
        f"started: polls every {settings.poll_minutes:g} minutes, builds every {settings.interval_hours:g} hours "
        f"or after {settings.build_after_plays} new plays"
        + (f", maintains the lakehouse every {settings.maintain_days:g} days" if settings.maintain_days else ""),
    )
    return Scheduler(
        Timetable(settings, random.Random()),  # noqa: S311 -- spreads calls, keeps no secret
        poll_command(options.landing),
        build_command(arguments),
        maintain_command(settings.dir),
        clock=clock,
        start=Child,
        state_dir=settings.state_dir,
        state=remembered.of_build((str(settings.dir), *arguments)),
        heartbeat=options.heartbeat,
        notify=notify_command(options.landing) if settings.webhook_url and settings.webhook_url.get_secret_value() else None,
    )
