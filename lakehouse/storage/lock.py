"""One run at a time: the lock of a lakehouse."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout


class LockedError(Exception):
    """Another run holds the lock of this lakehouse."""


@contextmanager
def locked(root: Path) -> Iterator[None]:
    """Hold the lakehouse's lock. Raises LockedError, naming the holder, when another run has it."""
    root.mkdir(parents=True, exist_ok=True)
    path = root / "_lock"
    try:
        with FileLock(path, timeout=0):
            (root / "_lock_holder").write_text(str(os.getpid()))
            yield
    except Timeout as error:
        holder = root / "_lock_holder"
        pid = holder.read_text() if holder.is_file() else "unknown"
        raise LockedError(f"another run (process {pid}) is building {root}") from error
