"""A clock in a file that several processes share, and the scheduler as a process that lives by it.

    python -m tests.scheduling.simulated_clock CLOCK_FILE SPEED jumping|steady OPTION...

While a poll or a build runs, which takes real time, simulated time goes SPEED times as fast; in between it jumps, unless steady.
"""

from __future__ import annotations

import datetime as dt
import mmap
import struct
import sys
import time
from pathlib import Path

from scheduling.program import run
from scheduling.scheduler import Scheduler

SECONDS = struct.Struct("d")


class SharedClock:
    """Time as a number of seconds in a file."""

    def __init__(self, path: Path, speed: float = 60.0, *, is_steady: bool = False) -> None:
        with path.open("r+b") as file:
            self._memory = mmap.mmap(file.fileno(), SECONDS.size)
        self.speed, self.is_steady, self._is_stopped = speed, is_steady, False
        self.scheduler: Scheduler | None = None

    @staticmethod
    def create(path: Path, now: dt.datetime) -> SharedClock:
        """A new one that shows `now`."""
        path.write_bytes(SECONDS.pack(now.timestamp()))
        return SharedClock(path)

    def now(self) -> dt.datetime:
        return dt.datetime.fromtimestamp(SECONDS.unpack_from(self._memory)[0], dt.timezone.utc)

    def advance(self, seconds: float) -> None:
        """Set it forward, as it goes on while a machine sleeps."""
        SECONDS.pack_into(self._memory, 0, SECONDS.unpack_from(self._memory)[0] + seconds)

    def wait(self, seconds: float) -> bool:
        if self.is_steady or (self.scheduler is not None and self.scheduler.is_busy):
            time.sleep(seconds / self.speed)
        if not self._is_stopped:
            self.advance(seconds)
        return self._is_stopped

    def stop(self) -> None:
        self._is_stopped = True

    def watch(self, scheduler: Scheduler) -> None:
        """Know when this scheduler is busy."""
        self.scheduler = scheduler


def main() -> int:
    clock = SharedClock(Path(sys.argv[1]), float(sys.argv[2]), is_steady=sys.argv[3] == "steady")
    return run(sys.argv[4:], clock, clock.stop, clock.watch)


if __name__ == "__main__":
    sys.exit(main())
