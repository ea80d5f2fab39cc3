"""When people listen: sessions of log-normal length in five parts of the day, in the listener's own time zone."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from synthetic.draws import Floats, Ints
from synthetic.listeners import Listeners
from synthetic.period import DAY_MS, Period

# Plays of a session: log-normal. The one real listener at hand has 17.0 a session (breaks over 30 minutes).
LENGTH_MEDIAN, LENGTH_SPREAD, LONGEST = 8.0, 1.1, 300
MEAN_LENGTH = LENGTH_MEDIAN * float(np.exp(LENGTH_SPREAD**2 / 2))
HOUR_MS = 3_600_000
# Start of a session by part of the day: morning, afternoon, evening, night, late night; local hour and its spread.
CENTRE_HOURS = np.array([8.0, 13.5, 18.5, 22.0, 25.5])
SPREAD_HOURS = np.array([1.1, 1.7, 1.4, 1.1, 1.5])
WEEKEND_LATER_HOURS = 1.5
# Monday - Sunday, relative number of sessions.
WEEKDAYS = np.array([0.96, 0.96, 0.97, 1.0, 1.08, 1.06, 0.97])
SATURDAY = 5


@dataclass(frozen=True)
class Sessions:
    """Sessions in order of listener and start, as planned: where two overlap the later one is moved when plays are timed."""

    listener: Ints
    """position in the block of listeners"""
    start: Ints
    """UTC, ms since 1970"""
    offset: Ints
    """ms from UTC to local time"""
    plays: Ints

    def __len__(self) -> int:
        return len(self.listener)


def draw(
    rng: np.random.Generator, who: Listeners, period: Period, offsets: Ints, *, again: tuple[Ints, int, int] | None = None
) -> Sessions:
    """The sessions of the listeners, at least one each.

    `offsets` are `period.offsets` by place. `again` plants a week: (positions of at most one listener, its first day, how
    many times as much the listener plays then).
    """
    number = 1 + rng.poisson(who.sessions_a_day * who.days)
    listener = np.repeat(np.arange(len(who)), number)
    day = _days(rng, who, listener, period)
    usual = len(listener)
    if again is not None:
        listener, day, usual = _with_week(rng, who, listener, day, *again)
    hour = _hours(rng, who, listener, period.weekday(day) >= SATURDAY)
    plays = np.rint(rng.lognormal(np.log(LENGTH_MEDIAN), LENGTH_SPREAD, len(listener)))
    # Of mean length, so that what is planted is as large as it says.
    plays[usual:] = round(MEAN_LENGTH)
    offset = offsets[who.place[listener], day]
    start = period.start_ms + day * DAY_MS + (hour * HOUR_MS).astype(np.int64) - offset
    order = np.lexsort((start, listener))
    return Sessions(listener[order], start[order], offset[order], np.clip(plays, 1, LONGEST).astype(np.int64)[order])


def _days(rng: np.random.Generator, who: Listeners, listener: Ints, period: Period) -> Ints:
    """Local days counted from the start: uniform over the weeks in which the listener is there, weighted by weekday."""
    even = who.joined[listener] + rng.random(len(listener)) * who.days[listener]
    weekday = np.searchsorted(np.cumsum(WEEKDAYS) / WEEKDAYS.sum(), rng.random(len(listener)), side="right")
    plain = even.astype(np.int64)
    chosen = plain + (np.minimum(weekday, 6) - period.weekday(plain))
    inside = (chosen >= who.joined[listener]) & (chosen < who.joined[listener] + who.days[listener])
    return np.asarray(np.where(inside, chosen, plain))


def _hours(rng: np.random.Generator, who: Listeners, listener: Ints, is_weekend: NDArray[np.bool_]) -> Floats:
    """Local hour of the start; may lie beyond midnight."""
    drawn = rng.random(len(listener))
    part = np.zeros(len(listener), np.int64)
    for column in range(len(CENTRE_HOURS) - 1):
        part += drawn >= who.blocks[listener, column]
    spread = rng.standard_normal(len(listener)) * SPREAD_HOURS[part]
    return np.asarray(CENTRE_HOURS[part] + spread + who.chronotype[listener] + WEEKEND_LATER_HOURS * is_weekend)


def _with_week(
    rng: np.random.Generator, who: Listeners, listener: Ints, day: Ints, position: Ints, first: int, times: int
) -> tuple[Ints, Ints, int]:
    """Listener and day of the usual sessions outside the planted week and then of those within, and how many are usual."""
    kept = ~(np.isin(listener, position) & (day >= first) & (day < first + 7))
    number = np.rint(who.sessions_a_day[position] * 7 * times).astype(np.int64)
    more = np.repeat(position, number)
    days = first + rng.integers(0, 7, len(more))
    return np.concatenate([listener[kept], more]), np.concatenate([day[kept], days]), int(kept.sum())


def without_overlap(start: Ints, length: Ints, listener: Ints) -> Ints:
    """Starts moved as little as needed so that each session of a listener begins when the one before it has ended.

    With C the lengths summed before a session, its start is C + max over the sessions up to it of (planned start - C).
    """
    before = np.cumsum(length) - length
    slack = start - before
    # One running maximum serves all listeners when each stands above everything of those before.
    step = int(slack.max() - slack.min()) + 1 if len(slack) else 1
    lifted = np.maximum.accumulate(slack + listener * step)
    return np.asarray(lifted - listener * step + before)
