"""Closing of journals that a killed writer left open, and packing of those of older months."""

from __future__ import annotations

import datetime as dt
import logging
from collections.abc import Collection
from pathlib import Path

from filelock import FileLock, Timeout

from lakehouse.landing.archive import ARCHIVE_ERRORS
from lakehouse.landing.packed import pack
from lakehouse.settings import Settings
from music.envelopes import SUBMITTED_LISTENS
from polling.files import FILE_MODE, make_folder
from polling.places import HIDDEN
from polling.progress import end_of
from service.submissions.journal import OPEN, SUFFIX, close_journal

WRITER_LOCK, PACK_LOCK = "_writer.lock", "_pack.lock"
# A journal of the last hour of a month is closed soon after; and clocks differ.
WELL_LATER = dt.timedelta(days=1)

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


def before_run(settings: Settings) -> None:
    """What a run does before it looks for files: close what no living service writes, and pack months that are over."""
    inbox = settings.inbox_folder
    if not (inbox / SUBMITTED_LISTENS).is_dir():
        return
    try:
        with lock_journals(inbox):
            close_left(inbox)
    except BusyError:
        _logger.info("a service writes the journals in %s: it closes them at the end of the hour", inbox / SUBMITTED_LISTENS)
    pack_journals(inbox, dt.datetime.now(dt.timezone.utc))


def pack_journals(inbox: Path, now: dt.datetime) -> int:
    """Pack the closed journals of months that are over, a folder each; returns how many were packed.

    What cannot be packed, on a disk that is full or read-only, is logged.
    """
    packed = 0
    try:
        with lock_journals(inbox, PACK_LOCK):
            for folder in sorted((inbox / SUBMITTED_LISTENS).glob("*/*")):
                if not folder.parent.name.startswith(HIDDEN) and _is_over(folder.name, now):
                    names = [path.name for path in folder.glob(f"*{SUFFIX}")]
                    packed += 0 if any(name.startswith(OPEN) for name in names) else pack(folder, names)
    except BusyError:
        _logger.info("another run packs the journals in %s", inbox / SUBMITTED_LISTENS)
    except ARCHIVE_ERRORS as error:
        _logger.warning("journals in %s are not packed: %s", inbox / SUBMITTED_LISTENS, error)
    return packed


def _is_over(month: str, now: dt.datetime) -> bool:
    try:
        return now >= end_of(month) + WELL_LATER
    except ValueError:
        return False
