"""Closing of journals that a killed writer left open."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from music.envelopes import SUBMITTED_LISTENS
from polling.files import FILE_MODE, make_folder
from service.submissions.journal import OPEN, SUFFIX, close_journal

WRITER_LOCK = "_writer.lock"

_logger = logging.getLogger(__name__)


class BusyError(Exception):
    """Another process writes or packs the journals of this inbox."""


def lock_journals(inbox: Path, name: str = WRITER_LOCK, seconds: float = 0) -> FileLock:
    """The lock of whoever may write or close journals, held. Raises BusyError after so many seconds, and OSError."""
    folder = inbox / SUBMITTED_LISTENS
    make_folder(folder)
    lock = FileLock(folder / name, timeout=seconds, mode=FILE_MODE, thread_local=False)
    try:
        lock.acquire()
    except Timeout as error:
        raise BusyError(f"another process holds {folder / name}: one service at a time writes an inbox") from error
    return lock


@contextmanager
def locked_journals(inbox: Path, name: str = WRITER_LOCK) -> Iterator[None]:
    """Hold the lock, without waiting for it. Raises BusyError and OSError."""
    lock = lock_journals(inbox, name)
    try:
        yield
    finally:
        lock.release()


def journals_in(inbox: Path, *, is_open: bool) -> list[Path]:
    """The open or the closed journals of all listeners; packed ones are left out."""
    found = sorted((inbox / SUBMITTED_LISTENS).glob(f"*/*/*{SUFFIX}"))
    return [path for path in found if path.name.startswith(OPEN) is is_open]


def close_left(inbox: Path, written: Collection[Path] = ()) -> int:
    """Close the open journals except those that the caller writes; returns how many there are to read now.

    The caller holds the writer's lock. What cannot be closed is logged, and stays for the next one who tries.
    """
    closed = 0
    for path in journals_in(inbox, is_open=True):
        if path not in written:
            try:
                closed += close_journal(path)
            except OSError as error:
                _logger.warning("%s cannot be closed: %s; its listens are read once it can be", path, error.strerror)
    return closed
