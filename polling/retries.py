"""Passing faults of a service, and how often and after which pause the same request is tried again."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from tenacity import RetryCallState, Retrying, retry_if_exception, wait_exponential_jitter

from polling.answers import PollError
from polling.body import MOST_BYTES
from polling.pace import Clock

log = logging.getLogger(__name__)
Result = TypeVar("Result")

# Longer pauses are stored, and the poll goes on without the source.
LONGEST_PAUSE = 60.0
SHORTEST_PAUSE = 1.0
BACKOFF = wait_exponential_jitter(initial=SHORTEST_PAUSE, max=30.0)


class ServiceFault(PollError):  # noqa: N818 - one of the family of PollError
    """The service cannot answer now, or answered what cannot be used. Another try, or asking for less, may help."""

    def __init__(self, message: str, *, wait: float | None = None, again: bool = True, less: bool = True) -> None:
        super().__init__(message)
        self.wait = wait
        """seconds that the service asks for"""
        self.again = again
        """whether the same request may have another answer"""
        self.less = less
        """whether a request for less may have one"""


class TooManyRequests(ServiceFault):
    """The service wants fewer requests; where it names no time, the pause is a minute, then two."""


@dataclass(frozen=True)
class Limits:
    """Of one call."""

    request_seconds: float = 30.0
    """one attempt, from the connection to the last byte"""
    connect_seconds: float = 10.0
    call_seconds: float = 120.0
    """all attempts with their pauses: no other attempt begins later"""
    attempts: int = 4
    most_bytes: int = MOST_BYTES
    """of a body, decompressed"""


class Call:
    """One call: attempts until one of them succeeds, has a lasting error, or is the last."""

    def __init__(self, name: str, clock: Clock, limits: Limits) -> None:
        self._name, self._clock, self._limits = name, clock, limits
        self._ends = clock.monotonic() + limits.call_seconds
        self._refusals = 0
        self.attempts = 0

    def run(self, attempt: Callable[[], Result]) -> Result:
        """The result of the first attempt that succeeds. Raises the error of the last one."""
        retrying = Retrying(
            retry=retry_if_exception(lambda error: isinstance(error, ServiceFault) and error.again),
            wait=_pause,
            stop=self._is_last,
            sleep=self._clock.sleep,
            before=self._count,
            before_sleep=self._report,
            reraise=True,
        )
        return retrying(attempt)

    def pause_after(self, fault: ServiceFault) -> float | None:
        """Seconds that the service wants us to wait; None if it says nothing."""
        if fault.wait is not None or not isinstance(fault, TooManyRequests):
            return fault.wait
        self._refusals += 1
        return LONGEST_PAUSE * float(2 ** (self._refusals - 1))

    def _count(self, state: RetryCallState) -> None:
        self.attempts = state.attempt_number

    def _is_last(self, state: RetryCallState) -> bool:
        is_late = self._clock.monotonic() + state.upcoming_sleep > self._ends
        return is_late or state.attempt_number >= self._limits.attempts

    def _report(self, state: RetryCallState) -> None:
        log.info("%s: attempt %d failed; the next is in %.0f s", self._name, state.attempt_number, state.upcoming_sleep)


def _pause(state: RetryCallState) -> float:
    fault = state.outcome.exception() if state.outcome else None
    if isinstance(fault, ServiceFault) and fault.wait is not None:
        return max(fault.wait, SHORTEST_PAUSE)
    return BACKOFF(state)
