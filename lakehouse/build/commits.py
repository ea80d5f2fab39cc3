"""The commits that are in hand: a run that is broken off lets them finish, and begins no other."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

# How long a run that is broken off waits for the commits in hand; they take less than a second, of large tables a few.
COMMIT_SECONDS = 20.0


class BrokenOffError(Exception):
    """The run ends: what was computed is not published any more."""


class Commits:
    """Counts the threads that publish. One per builder."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._in_hand, self._is_over = 0, False

    @contextmanager
    def commit(self) -> Iterator[None]:
        """Publish inside of this. Raises BrokenOffError once `finish` was called."""
        with self._changed:
            if self._is_over:
                raise BrokenOffError("the run ends")
            self._in_hand += 1
        try:
            yield
        finally:
            with self._changed:
                self._in_hand -= 1
                self._changed.notify_all()

    def finish(self, seconds: float = COMMIT_SECONDS) -> bool:
        """Let no further commit begin, and wait at most so long for those in hand; whether all are done."""
        with self._changed:
            self._is_over = True
            return self._changed.wait_for(lambda: not self._in_hand, seconds)
