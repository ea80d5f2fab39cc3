"""How far a run is, noted in its lakehouse for other processes to show: `_progress.json`, gone when the run ends.

The file is touched every two seconds, so that one that is older than STALE_SECONDS is that of a process that was killed. A number
of a process would say nothing where each container has its own.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lakehouse.build.task import Outcome
    from lakehouse.plan.staleness import Stale
    from lakehouse.run.report import Observer
    from lakehouse.storage.landed_files import LandedFile

FILE = "_progress.json"
TOUCH_SECONDS, STALE_SECONDS = 2.0, 15.0
READING, BUILDING = "reading", "building"


@dataclass(frozen=True)
class Progress:
    """How far a run is."""

    started_at: float
    """seconds since 1970"""
    phase: str = READING
    """reading or building"""
    active: Sequence[str] = ()
    """the file that is read, or the tables that are built"""
    done: int = 0
    total: int = 0
    failed: int = 0
    """tables that were not built"""


def read(root: Path) -> Progress | None:
    """How far the run of a lakehouse is; None if there is none. Raises OSError."""
    path = root / FILE
    try:
        if time.time() - path.stat().st_mtime > STALE_SECONDS:
            return None
        return Progress(**json.loads(path.read_bytes()))
    except FileNotFoundError:
        return None


class Noted:
    """An observer that notes what it hears and hands it on. Use as a context manager."""

    def __init__(self, root: Path, observer: Observer) -> None:
        self._path, self._observer = root / FILE, observer
        self._progress, self._is_noted = Progress(time.time()), True
        self._over, self._touching = threading.Event(), threading.Thread(target=self._touch, daemon=True)
        # Tables end in the threads that build them.
        self._lock = threading.Lock()

    def __enter__(self) -> Noted:
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        if self._touching.ident is not None:
            self._touching.join()
            self._path.unlink(missing_ok=True)

    def reading(self, file: LandedFile, number: int, total: int) -> None:
        """A landing file is about to be read."""
        with self._lock:
            self._note(phase=READING, active=[file.path], done=number - 1, total=total)
        self._observer.reading(file, number, total)

    def planned(self, stale: Sequence[Stale]) -> None:
        """The tables to build are known."""
        with self._lock:
            self._note(phase=BUILDING, active=[], done=0, total=len(stale))
        self._observer.planned(stale)

    def started(self, table: str) -> None:
        """A table is being built."""
        with self._lock:
            self._note(active=[*self._progress.active, table])
        self._observer.started(table)

    def finished(self, outcome: Outcome) -> None:
        """A table is done."""
        with self._lock:
            before = self._progress
            active = [table for table in before.active if table != outcome.table]
            failed = before.failed + (outcome.status in ("failed", "refused", "blocked"))
            self._note(active=active, done=before.done + 1, failed=failed)
        self._observer.finished(outcome)

    def _note(self, **changes: Any) -> None:
        """The first event comes under the lock of the lakehouse, so that no other run's note is replaced."""
        self._progress = replace(self._progress, **changes)
        if not self._is_noted:
            return
        try:
            part = self._path.with_suffix(".part")
            with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
                json.dump(asdict(self._progress), file)
            part.replace(self._path)
        except OSError as error:
            self._is_noted = False
            sys.stderr.write(f"warning: {self._path}: {error.strerror}; other processes do not see how far this run is\n")
        if self._touching.ident is None:
            self._touching.start()

    def _touch(self) -> None:
        while not self._over.wait(TOUCH_SECONDS):
            if self._path.exists():
                os.utime(self._path)
