"""What headers of an answer say: when it was sent, and how long to wait."""

from __future__ import annotations

import datetime as dt
import re
from email.utils import parsedate_to_datetime

SECONDS = re.compile(r"[0-9]{1,12}(\.[0-9]{0,9})?")
# No source has asked for more than a day; a number beyond the calendar would be an error of ours.
LONGEST_RETRY = 30 * 24 * 3600.0


def http_date(text: str | None) -> dt.datetime | None:
    """A header's date, UTC; None if it is none."""
    try:
        date = parsedate_to_datetime(text or "")
        return (date if date.tzinfo else date.replace(tzinfo=dt.timezone.utc)).astimezone(dt.timezone.utc)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None


def seconds_of(text: str | None) -> float | None:
    """A header's number of seconds; None if it is none."""
    return float(text) if text is not None and SECONDS.fullmatch(text.strip()) else None


def pause_of(text: str | None, date: dt.datetime | None) -> float | None:
    """Seconds that a Retry-After asks to wait, at most 30 days; None if it cannot be read.

    It is a number, or a date that is compared with the answer's own `date`, so that a wrong clock here does not count.
    """
    seconds, until = seconds_of(text), http_date(text)
    if seconds is None and until is not None and date is not None:
        seconds = max((until - date).total_seconds(), 0.0)
    return seconds if seconds is None else min(seconds, LONGEST_RETRY)
