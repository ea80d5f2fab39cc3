"""The scheduler's clock, which tests and simulations replace."""

from __future__ import annotations

import datetime as dt
import os
import select
from typing import Protocol


class Clock(Protocol):
    """What the scheduler knows of time."""

    def now(self) -> dt.datetime:
        """The time of day, UTC. It goes on while the machine sleeps, and may be set back."""

    def wait(self, seconds: float) -> bool:
        """Return after so many seconds, or as soon as the scheduler is to stop; whether it is."""


class SystemClock:
    """This machine's. `stop` may be called by a signal handler at any moment, which threading.Event does not allow."""

    def __init__(self) -> None:
        self._stopped, self._stop = os.pipe()
        os.set_blocking(self._stop, False)

    def now(self) -> dt.datetime:
        return dt.datetime.now(dt.timezone.utc)

    def wait(self, seconds: float) -> bool:
        return bool(select.select([self._stopped], [], [], seconds)[0])

    def stop(self) -> None:
        """End every wait, now and from now on."""
        os.write(self._stop, b".")
