"""The scheduler: starts polls, builds and upkeep when they are due, at most one of each at a time, and reads what they say."""

from __future__ import annotations

import datetime as dt
import logging
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from lakehouse.cli.errors import LOCKED
from music.envelopes import SPOTIFY_API
from polling.tokens import TokenStore, consent_notice
from scheduling import log
from scheduling.child import Ended, Process
from scheduling.clock import Clock
from scheduling.notifier import Notifier
from scheduling.results import (
    BuildResult,
    Line,
    PollResult,
    build_result,
    maintain_result,
    poll_result,
    said,
    shortened,
    unusable,
)
from scheduling.state import SchedulerState, save
from scheduling.timetable import Timetable

TICK_SECONDS = 1.0
# What was published stays and what was received is in the inbox, so that a process may be ended at any time. A poll is first
# given time to end by itself: Spotify voids a refresh token when it sends the next one.
INTERRUPT_POLL_SECONDS, KILL_SECONDS = 15.0, 25.0
# A build that is due waits so long for a poll, whose plays it then reads.
WAIT_FOR_POLL = dt.timedelta(seconds=60)
NEVER = dt.datetime.min.replace(tzinfo=dt.timezone.utc)


# What makes a poll fetch plays and nothing else.
PLAYS_ONLY = {"LAKEHOUSE_SPOTIFY_METADATA_REQUESTS": "0", "LAKEHOUSE_ARTIST_REQUESTS": "0"}


@dataclass
class Job:
    """A command that runs again and again, and its process while it runs."""

    name: str
    command: Sequence[str]
    settings: Mapping[str, str] = field(default_factory=dict)
    """environment of its process, beside the scheduler's"""
    process: Process | None = None
    started_at: dt.datetime = NEVER
    plays_before: int = 0
    """new plays that a build was started with"""


class Scheduler:
    """Polls and builds until its clock says stop. `start` starts a command; `state_dir` holds the state and the tokens."""

    def __init__(
        self,
        timetable: Timetable,
        poll: Sequence[str],
        build: Sequence[str],
        maintain: Sequence[str],
        *,
        clock: Clock,
        start: Callable[[Sequence[str], Mapping[str, str]], Process],
        state_dir: Path,
        state: SchedulerState,
        heartbeat: Path | None = None,
        notify: Sequence[str] | None = None,
    ) -> None:
        self.timetable, self.clock, self.state_dir, self.state, self.heartbeat = timetable, clock, state_dir, state, heartbeat
        self._poll, self._build, self._start = Job("poll", poll), Job("build", build), start
        # Fetching metadata takes minutes, in which plays may be lost: they are then polled beside it.
        self._plays = Job("poll", poll, PLAYS_ONLY)
        self._plays_at: dt.datetime | None = None
        self._maintain = Job("maintain", maintain)
        self._jobs = (self._poll, self._plays, self._build, self._maintain)
        self._no_accounts: str | None = None
        self._notifier = Notifier(notify, start)

    @property
    def is_busy(self) -> bool:
        """Whether anything is running."""
        return any(job.process is not None for job in self._jobs)

    def loop(self) -> None:
        """Run until stopped; a build or poll that runs then is ended within 25 s."""
        if self.state.maintain_at is None and self.timetable.settings.maintain_interval is not None:
            self._plan(self._maintain, self.timetable.after_maintain(self.clock.now(), 0))
        try:
            self.tick()
            while not self.clock.wait(TICK_SECONDS):
                self.tick()
        finally:
            began = time.monotonic()
            log.say("stopping", "stopping")
            self._end()
        seconds = round(time.monotonic() - began, 2)
        log.say("stopped", f"stopped after {seconds} s", seconds=seconds)

    def tick(self) -> None:
        """Look after all jobs once, and touch the heartbeat: an older file means that the scheduler no longer responds."""
        if self.heartbeat is not None:
            self.heartbeat.touch()
        for job in self._jobs:
            self._collect(job)
        self._notifier.tick()
        now = self.clock.now()
        if self._poll.process is None and self.timetable.poll_is_due(self.state.poll_at, now):
            self._plays_at = self.timetable.beside(now)
            self._begin(self._poll, now)
        elif self._poll.process is not None and self._plays.process is None and self.timetable.poll_is_due(self._plays_at, now):
            self._begin(self._plays, now)
        is_held = self._poll.process is not None and now - self._poll.started_at < WAIT_FOR_POLL
        if self._build.process is not None or self._maintain.process is not None:
            return
        if self.timetable.build_is_due(self.state.build_at, now):
            if not is_held:
                self._begin(self._build, now)
        elif self.timetable.maintain_is_due(self.state.maintain_at, now):
            self._begin(self._maintain, now)

    def _begin(self, job: Job, now: dt.datetime) -> None:
        try:
            job.process = self._start(job.command, job.settings)
        except OSError as error:
            soon = self.timetable.soon(now)
            log.warn(job.name, f"the {job.name} could not be started: {error}; next try at {_shown(soon)}", next_at=soon)
            self._plan(job, soon)
            return
        job.started_at, job.plays_before = now, self.state.new_plays
        if job is self._build:
            log.say("build", "build started", status="started", new_plays=self.state.new_plays)

    def _collect(self, job: Job) -> None:
        """Read what a process left behind, if it ended."""
        ended = job.process.ended() if job.process is not None else None
        if ended is None:
            return
        job.process = None
        self._ended(job, ended)

    def _ended(self, job: Job, ended: Ended) -> None:
        if job is self._build:
            self._built(ended)
        elif job is self._maintain:
            self._maintained(ended)
        else:
            self._polled(job, ended)
        self._notifier.ask(ended.exit_code if job is self._build else None)

    def _polled(self, job: Job, ended: Ended) -> None:
        result, now = poll_result(ended), self.clock.now()
        if job is self._plays:
            # That another process fetches metadata is why this one ran.
            result = replace(result, metadata=())
        new_plays = self.state.new_plays + result.new_plays
        due = self.timetable.after_poll(job.started_at, now, result)
        is_enough = result.new_plays > 0 and self.timetable.is_enough(new_plays) and self._build.process is None
        self._move(new_plays=new_plays, **({"build_at": now} if is_enough else {}))
        self._plan(job, due)
        problem = unusable(ended)
        if problem is None:
            self._no_accounts = None
            self._log_poll(ended, result, due)
        elif problem != self._no_accounts:
            self._no_accounts = problem
            log.warn("poll", f"nothing is polled, only built: {problem}", exit_code=ended.exit_code, next_at=due)
        self._report(self._consents(now))

    def _log_poll(self, ended: Ended, result: PollResult, due: dt.datetime) -> None:
        level = logging.INFO if ended.exit_code in (0, LOCKED) else logging.WARNING
        self._tell("poll", level, f"{result.summary()}, next at {_shown(due)}", ended, {**result.values(), "next_at": due})
        self._report([*result.lines(), *said(ended)])

    def _built(self, ended: Ended) -> None:
        result, now, job = build_result(ended), self.clock.now(), self._build
        # Those that came during a build may have come too late for it; a build that did not run has read none.
        new_plays = self.state.new_plays - (0 if ended.exit_code == LOCKED else job.plays_before)
        due = self.timetable.after_build(job.started_at, now, ended.exit_code, new_plays)
        self._move(build_at=due, new_plays=new_plays)
        self._log_build(ended, result, due)

    def _maintained(self, ended: Ended) -> None:
        result, due = maintain_result(ended), self.timetable.after_maintain(self.clock.now(), ended.exit_code)
        self._plan(self._maintain, due)
        level = logging.INFO if ended.exit_code in (0, LOCKED) else logging.ERROR
        self._tell("maintain", level, f"{result.summary()}, next at {_shown(due)}", ended, {**result.values(), "next_at": due})
        self._report([] if ended.exit_code == LOCKED else said(ended))

    def _log_build(self, ended: Ended, result: BuildResult, due: dt.datetime) -> None:
        level = logging.INFO if ended.exit_code in (0, LOCKED) else logging.ERROR
        values = {"status": "ended", **result.values(), "next_at": due}
        self._tell("build", level, f"{result.summary(ended.seconds)}, next at {_shown(due)}", ended, values)
        self._report([*result.lines(), *([] if ended.exit_code == LOCKED else said(ended))])

    def _tell(self, event: str, level: int, text: str, ended: Ended, values: dict[str, Any]) -> None:
        figures = {"exit_code": ended.exit_code, "seconds": round(ended.seconds, 2)}
        log.write(Line(level, event, text, {**figures, **values}))

    def _report(self, lines: Iterable[Line]) -> None:
        """Log the lines, but for notices that were logged within a day."""
        now = self.clock.now()
        shown = list(shortened(line for line in lines if line.notice is None or not self.state.was_said(line.notice, now)))
        for line in shown:
            log.write(line)
        notices = [line.notice for line in shown if line.notice is not None]
        if notices:
            self.state = self.state.saying(notices, now)
            self._save()

    def _consents(self, now: dt.datetime) -> Iterator[Line]:
        """A notice for each consent that ends soon."""
        store = TokenStore(self.state_dir, SPOTIFY_API)
        try:
            tokens, unreadable = store.accounts(), store.unreadable()
        except OSError as error:
            yield Line(logging.WARNING, "consent", str(error), notice=f"consent: {error}")
            return
        for account_id, problem in unreadable.items():
            yield Line(logging.WARNING, "consent", str(problem), {"account_id": account_id}, notice=f"consent: {problem}")
        for token in tokens:
            if (text := consent_notice(token, now)) is not None:
                values = {"account_id": token.account_id, "listener": token.listener, "ends": token.consent_ends}
                yield Line(logging.WARNING, "consent", text, values, notice=f"consent {token.account_id}")

    def _plan(self, job: Job, due: dt.datetime | None) -> None:
        if job is self._plays:
            self._plays_at = due
        else:
            self._move(**{f"{job.name}_at": due})

    def _move(self, **changes: Any) -> None:
        self.state = replace(self.state, **changes)
        self._save()

    def _save(self) -> None:
        try:
            save(self.state_dir, self.state)
        except OSError as error:
            # What is due is known without the file, until the next start.
            log.warn("state", f"{self.state_dir}: the state could not be written: {error}")

    def _end(self) -> None:
        """End what runs. Its time is the machine's, whatever the clock says."""
        self._notifier.end()
        began, was_asked = time.monotonic(), set[int]()
        while self.is_busy and (waited := time.monotonic() - began) < KILL_SECONDS:
            for job in self._jobs:
                asked_after = 0.0 if job is self._build or job is self._maintain else INTERRUPT_POLL_SECONDS
                if job.process is not None and id(job) not in was_asked and waited >= asked_after:
                    job.process.interrupt()
                    was_asked.add(id(job))
                self._collect_last(job, is_asked=id(job) in was_asked)
            time.sleep(0.05)
        for job in self._jobs:
            if job.process is not None:
                log.warn(job.name, f"the {job.name} did not end in {KILL_SECONDS:.0f} s and was killed")
                job.process.kill()
                self._collect_last(job, is_asked=True)

    def _collect_last(self, job: Job, *, is_asked: bool) -> None:
        """Read what a process left behind; one that was broken off is due again at the next start."""
        ended = job.process.ended() if job.process is not None else None
        if ended is None:
            return
        job.process = None
        if is_asked and ended.exit_code != 0:
            # An upkeep that was never planned is due one interval after the start.
            self._plan(job, self.clock.now() if job is self._maintain else None)
            log.say(job.name, f"the {job.name} was broken off, and is due at the next start", exit_code=ended.exit_code)
        else:
            self._ended(job, ended)


def _shown(moment: dt.datetime) -> str:
    return f"{moment.astimezone():%Y-%m-%d %H:%M:%S}"
