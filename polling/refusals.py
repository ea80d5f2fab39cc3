"""What status and headers of a reply say: which error it is, when it was sent, and how long to wait."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any, Protocol

from lakehouse.cli.sanitize import CONTROL
from polling.answers import PollError
from polling.headers import pause_of, seconds_of
from polling.retries import ServiceFault, TooManyRequests

# What a source is left alone for when its quota, not its rate, is used up.
QUOTA_PAUSE = 24 * 3600.0
PASSING = (408, 425, 500, 502, 503, 504, 520, 521, 522, 523, 524)
SHOWN = 200


class ErrorReply(Protocol):
    """The parts of a reply that are read here."""

    @property
    def status(self) -> int: ...
    @property
    def body(self) -> Any: ...
    @property
    def date(self) -> dt.datetime: ...
    @property
    def headers(self) -> Mapping[str, str]: ...


def refuse_errors(reply: ErrorReply) -> None:
    """Raises TooManyRequests for 429, ServiceFault for a passing fault of the service, PollError for another error status."""
    if reply.status < 400:
        return
    wait, text = retry_after(reply), f"HTTP {reply.status}{_said(reply.body)}"
    if reply.status == 429:
        raise TooManyRequests(text, wait=QUOTA_PAUSE if "QUOTA_EXCEEDED" in text and wait is None else wait)
    if reply.status in PASSING:
        raise ServiceFault(text, wait=wait)
    raise PollError(text)


def retry_after(reply: ErrorReply) -> float | None:
    """Seconds that the reply asks to wait, by Retry-After (seconds, or a date that its own Date is compared with) or
    X-RateLimit-Reset-In; None for a header that is missing or cannot be read."""
    pause = pause_of(reply.headers.get("Retry-After"), reply.date)
    return pause if pause is not None else seconds_of(reply.headers.get("X-RateLimit-Reset-In"))


def shown(text: str) -> str:
    """Text from outside for a message: one line of at most 200 characters."""
    return CONTROL.sub(" ", text)[:SHOWN]


def _said(body: Any) -> str:
    """The words of an error's body: `error` or `message`, or both inside of `error`."""
    error = body.get("error") if isinstance(body, dict) else None
    fields = error if isinstance(error, dict) else body if isinstance(body, dict) else {}
    words = [fields[name] for name in ("error", "message", "reason") if isinstance(fields.get(name), str)]
    return f": {shown(', '.join(words))}" if words else ""
