"""Answers on their way to the inbox: a file whenever there are enough of one kind, and at the end."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from polling.metadata_store import MetadataStore, Told

MOST_ANSWERS = 50
"""A file: so many requests are repeated at most if polling is killed."""


@dataclass
class Batch:
    """Answers of one source and kind."""

    store: MetadataStore
    source: str
    kind: str
    written: int = 0
    """answers on disk"""
    _waiting: list[Told] = field(default_factory=list)

    def add(self, answer: Told) -> None:
        """Take an answer. Raises OSError."""
        self._waiting.append(answer)
        if self.store.observer is not None:
            self.store.observer(self.source, self.kind)
        if len(self._waiting) >= MOST_ANSWERS:
            self.flush()

    def flush(self) -> None:
        """Write what waits. Raises OSError."""
        if self._waiting:
            self.store.write(self.source, self.kind, self._waiting)
            self.written += len(self._waiting)
            self._waiting = []


@contextmanager
def batch(store: MetadataStore, source: str, kind: str) -> Iterator[Batch]:
    """A batch that is on disk at the end, also of what was answered before a failure."""
    opened = Batch(store, source, kind)
    try:
        yield opened
    finally:
        opened.flush()
