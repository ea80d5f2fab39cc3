"""Exit codes, and what is wrong with a call."""

from __future__ import annotations

OK, FAILED, USAGE, LOCKED = 0, 1, 2, 3


class UsageError(Exception):
    """An option that cannot be meant; the message says what can."""
