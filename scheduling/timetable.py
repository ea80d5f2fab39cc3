"""When the next poll and the next build are due: rules without a clock and without a process.

A due time is one moment, so what was missed while the machine slept or was off is caught up once. Intervals vary by a tenth, so
that many installations do not call a source at the same moment.
"""

from __future__ import annotations

import datetime as dt
import random

from lakehouse.cli.errors import LOCKED, USAGE
from scheduling.results import PollResult
from scheduling.settings import SchedulerSettings

JITTER = 0.1
# Another process holds the lock, or no process could be started.
SOON = dt.timedelta(minutes=2)
# Between a poll's end and the next one, however long it took.
BREATH = dt.timedelta(seconds=30)
A_DAY = dt.timedelta(days=1)
MOST_DAYS = dt.timedelta(days=366)


class Timetable:
    """Due times by the settings, spread by a random of its own."""

    def __init__(self, settings: SchedulerSettings, own_random: random.Random) -> None:
        self.settings, self._random = settings, own_random

    def after_poll(self, started: dt.datetime, ended: dt.datetime, poll: PollResult) -> dt.datetime:
        """Sooner than usual after a full poll, after one that another process was in the way of, and for a short wait."""
        interval = self.settings.full_interval if poll.is_full else self.settings.poll_interval
        if poll.exit_code == LOCKED:
            interval = min(interval, SOON)
        due = started + self._spread(interval)
        if poll.retry_at is not None:
            # Never before it, never sooner than after a full poll.
            due = min(due, max(poll.retry_at, started + self.settings.full_interval) + self._spread(BREATH))
        return max(due, ended + BREATH)

    def after_build(self, started: dt.datetime, ended: dt.datetime, exit_code: int, new_plays: int) -> dt.datetime:
        """`new_plays` have come since the build began."""
        if exit_code == LOCKED:
            return self.soon(ended)
        if exit_code == USAGE:
            # A person may mend the setting at any time.
            return ended + self._spread(min(self.settings.poll_interval, self.settings.build_interval))
        if self.is_enough(new_plays):
            return ended
        return max(started + self._spread(self.settings.build_interval), ended + BREATH)

    def after_maintain(self, ended: dt.datetime, exit_code: int) -> dt.datetime:
        """A day later where it failed: a person may have mended what was wrong. No source is called, so nothing is spread."""
        interval = self.settings.maintain_interval or MOST_DAYS
        if exit_code == LOCKED:
            return self.soon(ended)
        return ended + (interval if exit_code == 0 else min(interval, A_DAY))

    def beside(self, started: dt.datetime) -> dt.datetime:
        """When plays are polled beside a poll that is still busy: no sooner than after a full poll, which it may have been."""
        return started + self._spread(self.settings.full_interval)

    def soon(self, now: dt.datetime) -> dt.datetime:
        """For what could not be done now and may be done in a moment."""
        return now + self._spread(min(SOON, self.settings.poll_interval, self.settings.build_interval))

    def is_enough(self, new_plays: int) -> bool:
        """Whether so many new plays are worth a build."""
        return new_plays >= self.settings.build_after_plays

    def poll_is_due(self, due: dt.datetime | None, now: dt.datetime) -> bool:
        """Whether a poll that is due at `due` starts now."""
        return _is_due(due, now, self.settings.poll_interval)

    def build_is_due(self, due: dt.datetime | None, now: dt.datetime) -> bool:
        """Whether a build that is due at `due` starts now."""
        return _is_due(due, now, self.settings.build_interval)

    def maintain_is_due(self, due: dt.datetime | None, now: dt.datetime) -> bool:
        """Whether an upkeep that is due at `due` starts now; none that was never planned."""
        interval = self.settings.maintain_interval
        return interval is not None and due is not None and _is_due(due, now, interval)

    def _spread(self, interval: dt.timedelta) -> dt.timedelta:
        return interval * self._random.uniform(1 - JITTER, 1 + JITTER)


def _is_due(due: dt.datetime | None, now: dt.datetime, interval: dt.timedelta) -> bool:
    # Further away than any interval leads: the clock was set back, or the interval shortened.
    return due is None or due <= now or due > now + interval * (1 + JITTER) + BREATH
