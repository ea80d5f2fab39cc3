"""What a person sees while metadata is fetched: a line that counts, on a terminal only."""

from __future__ import annotations

from collections import Counter

from rich.console import Console
from rich.status import Status


class MetadataShown:
    """An observer of fetching. Use as a context manager; the line appears with the first answer."""

    def __init__(self, console: Console) -> None:
        self._console, self._counts = console, Counter[str]()
        self._status: Status | None = None

    def __enter__(self) -> MetadataShown:
        return self

    def __exit__(self, *_: object) -> None:
        if self._status is not None:
            self._status.stop()

    def fetched(self, source: str, kind: str) -> None:
        """After an answer of that kind."""
        if not self._console.is_terminal:
            return
        self._counts[f"{kind} ({source})"] += 1
        counts = ", ".join(f"{count} {name}" for name, count in self._counts.items())
        if self._status is None:
            self._status = self._console.status("")
            self._status.start()
        self._status.update(f"metadata of what was heard: {counts}; Ctrl-C stops it, the plays are received")
