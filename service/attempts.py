"""Counts what failed lately, so that nobody can try passwords as fast as the machine allows."""

from __future__ import annotations

import time
from collections import deque

MOST_NAMES = 1000


class Attempts:
    """At most `most` failures of a name within `seconds`; the names that failed last are remembered."""

    def __init__(self, most: int, seconds: float) -> None:
        self.most, self.seconds = most, seconds
        self._failures: dict[str, deque[float]] = {}

    def is_allowed(self, name: str) -> bool:
        """Whether the name may try again now."""
        failures = self._failures.get(name)
        return failures is None or len(failures) < self.most or time.monotonic() - failures[0] > self.seconds

    def failed(self, name: str) -> None:
        """Count a failure."""
        failures = self._failures.pop(name, None) or deque(maxlen=self.most)
        failures.append(time.monotonic())
        self._failures[name] = failures
        if len(self._failures) > MOST_NAMES:
            del self._failures[next(iter(self._failures))]
