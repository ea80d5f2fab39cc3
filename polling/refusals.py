"""What status and headers of a reply say: which error it is, when it was sent, and how long to wait."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from typing import Any, Protocol

from polling.answers import PollError
from polling.retries import ServiceFault, TooManyRequests

# What a source is left alone for when its quota, not its rate, is used up.
QUOTA_PAUSE = 24 * 3600.0
PASSING = (408, 425, 500, 502, 503, 504, 520, 521, 522, 523, 524)
SHOWN = 200
SECONDS = re.compile(r"[0-9]{1,12}(\.[0-9]{1,9})?")
CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")


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
    text = reply.headers.get("Retry-After")
    seconds, until = seconds_of(text), http_date(text)
    if seconds is None and until is not None:
        return max((until - reply.date).total_seconds(), 0.0)
    return seconds if seconds is not None else seconds_of(reply.headers.get("X-RateLimit-Reset-In"))


def seconds_of(text: str | None) -> float | None:
    """A header's number of seconds; None if it is none."""
    return float(text) if text is not None and SECONDS.fullmatch(text.strip()) else None


def http_date(text: str | None) -> dt.datetime | None:
    """A header's date, UTC; None if it is none."""
    try:
        return parsedate_to_datetime(text or "").astimezone(dt.timezone.utc)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None


def shown(text: str) -> str:
    """Text from outside for a message: one line of at most 200 characters."""
    return CONTROL.sub(" ", text)[:SHOWN]


def _said(body: Any) -> str:
    """The words of an error's body: `error` or `message`, or both inside of `error`."""
    error = body.get("error") if isinstance(body, dict) else None
    fields = error if isinstance(error, dict) else body if isinstance(body, dict) else {}
    words = [fields[name] for name in ("error", "message", "reason") if isinstance(fields.get(name), str)]
    return f": {shown(', '.join(words))}" if words else ""
