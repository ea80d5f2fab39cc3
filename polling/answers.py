"""What a source answered, and how a poll can fail."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

UNREAD_SECOND = "unread_second"
"""In a request: a second of which the source gave a part of its plays."""


@dataclass(frozen=True)
class Item:
    """One listen of an answer."""

    position: int
    """in the answer's list of items"""
    key: str
    """identifies the listen in its source: never changes, is the same in later answers"""
    played_at: dt.datetime | None
    """UTC, as the source states it (start or end: the source's facts say which)"""


@dataclass(frozen=True)
class Answer:
    """One page of what a source says of an account."""

    source: str
    """spotify_api, lastfm_api or listenbrainz_api"""
    account_id: str
    """immutable id of the account at the source"""
    request: Mapping[str, str]
    """what was asked: endpoint and parameters, without any secret"""
    server_date: dt.datetime
    """the answer's Date header, UTC"""
    body: Any
    """the whole parsed JSON answer"""
    items: tuple[Item, ...]
    """the listens in it; now-playing rows are no items"""


@dataclass(frozen=True)
class Position:
    """Where a walk goes on: with the newest listens before a Unix second (None: with the newest of all), at most `size`."""

    before: int | None
    size: int


@dataclass(frozen=True)
class Step:
    """One page of a walk between bounds."""

    answer: Answer
    """its items are the listens between the bounds that no earlier page of this walk held"""
    keys: frozenset[str]
    """of all listens of the page"""
    shown: range
    """the Unix seconds of which the page holds every listen that the source has"""
    rest: Position | None
    """where the walk goes on; None at its end"""
    older: int | None
    """the second of the newest listen before the walk's start, where the page holds one"""
    is_end: bool
    """the source has no listen that is older"""


class PollError(Exception):
    """An answer that cannot be used; nothing moves, the next poll tries again."""


class RetryLater(PollError):  # noqa: N818 - says what to do
    """The source asks for a longer pause than one minute."""

    def __init__(self, message: str, retry_at: dt.datetime) -> None:
        super().__init__(message)
        self.retry_at = retry_at


class AccountRefused(PollError):  # noqa: N818
    """This account cannot be polled until a person does something; `remedy` says what."""

    def __init__(self, message: str, remedy: str) -> None:
        super().__init__(message)
        self.remedy = remedy


class SettingMissing(AccountRefused):
    """A setting that the source needs is not set. No request was made, so the next poll looks again."""
