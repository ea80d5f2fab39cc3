"""The period of a generated history, and what the clock says in each time zone on each of its days."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np

from synthetic.draws import Ints

DAY_MS = 86_400_000
EPOCH = date(1970, 1, 1)


@dataclass(frozen=True)
class Period:
    """Days from `start` to before `end`, both UTC; every play begins and ends within."""

    start: date
    end: date

    @property
    def days(self) -> int:
        return (self.end - self.start).days

    @property
    def open_days(self) -> tuple[int, int]:
        """First local day and number of days on which sessions begin: a day from each edge, as clocks differ from UTC's."""
        return 1, self.days - 2

    @property
    def start_ms(self) -> int:
        """Unix time in ms."""
        return (self.start - EPOCH).days * DAY_MS

    @property
    def end_ms(self) -> int:
        return (self.end - EPOCH).days * DAY_MS

    def weekday(self, day: Ints) -> Ints:
        """0 Monday - 6 Sunday of days counted from the start."""
        return np.asarray((day + self.start.weekday()) % 7)

    def offsets(self, zones: tuple[str, ...]) -> Ints:
        """(zones, days): ms to add to UTC for local time, as at noon of each day.

        On the night of a change of clocks it is up to an hour off, which moves a session but makes no time impossible.
        """
        noons = [datetime.combine(self.start, datetime.min.time()) + timedelta(days=d, hours=12) for d in range(self.days)]
        found = np.empty((len(zones), len(noons)), np.int64)
        for row, name in enumerate(zones):
            zone = ZoneInfo(name)
            seconds = [(zone.utcoffset(noon) or timedelta()).total_seconds() for noon in noons]
            found[row] = np.array(seconds) * 1000
        return found
