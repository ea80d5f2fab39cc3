"""A small JSON file in the state folder that several processes change: private, replaced at once, under a lock of its own."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from polling.files import FILE_MODE, make_folder, write_file

LOCK_SECONDS = 20


class PrivateFileError(Exception):
    """A file that cannot be read or is locked; the message names it and says what to do."""


class PrivateFile:
    """Entries by name, each a JSON object. Reading costs one `stat` while the file stays the same."""

    def __init__(self, path: Path, remedy: str) -> None:
        """`remedy` is what to do if the file cannot be read."""
        self.path, self._remedy = path, remedy
        self._seen: tuple[int, int, int] | None = None
        self._entries: Mapping[str, dict[str, Any]] = {}

    def read(self) -> Mapping[str, dict[str, Any]]:
        """The entries; none where there is no file. Raises PrivateFileError and OSError."""
        try:
            stat = self.path.stat()
            seen = (stat.st_ino, stat.st_mtime_ns, stat.st_size)
            if seen != self._seen:
                self._entries, self._seen = self._parsed(self.path.read_bytes()), seen
        except FileNotFoundError:
            return {}
        return self._entries

    @contextmanager
    def changing(self) -> Iterator[dict[str, dict[str, Any]]]:
        """A copy of the entries, written when the block ends well. Raises PrivateFileError and OSError; nothing changed then."""
        make_folder(self.path.parent)
        try:
            with FileLock(self.path.with_name(f".{self.path.name}.lock"), timeout=LOCK_SECONDS, mode=FILE_MODE):
                entries = {name: dict(entry) for name, entry in self.read().items()}
                yield entries
                if entries != self.read():
                    write_file(self.path, f"{json.dumps(entries, indent=1)}\n".encode("ascii"))
        except Timeout as error:
            raise PrivateFileError(f"another process holds the lock of {self.path}; try again in a minute") from error

    def _parsed(self, content: bytes) -> dict[str, dict[str, Any]]:
        try:
            entries = json.loads(content)
            return {str(name): dict(entry) for name, entry in entries.items()}
        except (ValueError, TypeError, AttributeError) as error:
            raise PrivateFileError(f"{self.path} cannot be read; {self._remedy}") from error
