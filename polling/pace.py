"""How fast a source may be asked: a clock that can be replaced, and a budget of calls per rolling window."""

from __future__ import annotations

import datetime as dt
import time
from collections import deque
from typing import Protocol


class Clock(Protocol):
    """What waiting needs; tests and simulations bring their own."""

    def monotonic(self) -> float:
        """Seconds since some moment."""

    def sleep(self, seconds: float) -> None:
        """Return when so many seconds have passed."""

    def now(self) -> dt.datetime:
        """The local clock, UTC; used only where a source has said no date."""


class SystemClock:
    """This machine's."""

    def monotonic(self) -> float:
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)

    def now(self) -> dt.datetime:
        return dt.datetime.now(dt.timezone.utc)


class Budget:
    """At most `calls` calls in any `seconds` seconds. One per account, or shared where a source counts several together."""

    def __init__(self, calls: int, seconds: float) -> None:
        self.calls, self.seconds = calls, seconds
        self._made: deque[float] = deque(maxlen=calls)
        self._closed_until = 0.0

    def wait(self, now: float) -> float:
        """Seconds from the monotonic moment `now` until a call may be made; 0 for at once."""
        soonest = self._made[0] + self.seconds if len(self._made) == self.calls else now
        return max(soonest, self._closed_until) - now if max(soonest, self._closed_until) > now else 0.0

    def spend(self, now: float) -> None:
        """A call is made at `now`."""
        self._made.append(now)

    def close(self, until: float) -> None:
        """The source itself says that it answers no more before `until`."""
        self._closed_until = max(self._closed_until, until)
