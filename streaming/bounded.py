"""Calls of the Kafka client that may hang while no broker answers: they get so many seconds, and no signal waits for them."""

from __future__ import annotations

import threading
from collections.abc import Callable


class Bounded:
    """Makes one call at a time, in a thread of its own."""

    def __init__(self) -> None:
        self._thread: threading.Thread | None = None

    def call(self, function: Callable[[], object], seconds: float) -> Exception | None:
        """The exception that the call raised; TimeoutError if it, or the one before, has not ended. None: it went well."""
        if self._thread is not None:
            self._thread.join(seconds)
            if self._thread.is_alive():
                return TimeoutError("the call before has not ended")
        raised: list[Exception] = []

        def run() -> None:
            try:
                function()
            except Exception as error:
                raised.append(error)

        self._thread = threading.Thread(target=run, daemon=True)
        self._thread.start()
        self._thread.join(seconds)
        if self._thread.is_alive():
            return TimeoutError(f"no answer within {seconds:g} s")
        self._thread = None
        return raised[0] if raised else None
