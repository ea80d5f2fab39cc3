"""What ends a stream, with what helps."""

from __future__ import annotations


class StreamError(Exception):
    """Configuration or surroundings that cannot be used; the message says what helps."""


class MissingExtraError(StreamError):
    """The Kafka client is not installed."""


class TopicChangedError(StreamError):
    """The topic no longer holds what follows the last landed message; only a person can say what that means."""


class LandingError(StreamError):
    """Messages could not be written; none of them was committed."""
