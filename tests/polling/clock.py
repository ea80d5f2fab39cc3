"""A clock on which only sleeping takes time, and that is wrong about the date."""

from __future__ import annotations

import datetime as dt
import threading


class FakeClock:
    """Records the pauses; its local time is decades off, as a machine's without a battery."""

    def __init__(self, local: dt.datetime = dt.datetime(1999, 1, 1, tzinfo=dt.timezone.utc)) -> None:
        self.local = local
        self.pauses: list[float] = []
        self._now = 1000.0
        self._lock = threading.Lock()

    def monotonic(self) -> float:
        return self._now

    def sleep(self, seconds: float) -> None:
        with self._lock:
            self.pauses.append(seconds)
            self._now += seconds

    def now(self) -> dt.datetime:
        return self.local + dt.timedelta(seconds=self._now - 1000.0)
