"""A journal: the file of one listener and hour, to which listens are appended until it is closed by a rename.

An open journal has a name that runs pass over. It is closed by the process that writes it, or, once that is dead, by the next one
that holds the writer's lock. A closed journal is never changed, and runs know files by their content: none is read half or twice.
"""

from __future__ import annotations

import datetime as dt
import json
import logging
import os
import secrets
from pathlib import Path

from music.envelopes import JOURNAL_FORMAT, JOURNAL_HEAD, SUBMITTED_LISTENS
from polling.files import FILE_MODE, make_folder
from polling.places import AccountPlace

OPEN = "_"
"""Stands before the name of a journal that is not closed."""
SUFFIX = ".jsonl"
# A long import is several files, so that reading one of them takes little memory.
MOST_BYTES = 64 * 1024 * 1024

_logger = logging.getLogger(__name__)


def place_of(inbox: Path, listener: str) -> AccountPlace:
    """Where the journals of a listener lie: in a folder a month."""
    return AccountPlace(inbox, SUBMITTED_LISTENS, listener)


def hour_of(moment: dt.datetime) -> str:
    """The hour of a moment, as journals are named by it."""
    return moment.astimezone(dt.timezone.utc).strftime("%Y%m%dT%HZ")


class Journal:
    """An open journal. Only one thread may use it; every method raises OSError."""

    def __init__(self, inbox: Path, listener: str, now: dt.datetime) -> None:
        folder = place_of(inbox, listener).folder / f"{now:%Y-%m}"
        make_folder(folder)
        self.hour = hour_of(now)
        # Two journals of one hour, as after a restart, are two files, also when they hold the same listens.
        name = f"{self.hour}-{secrets.token_hex(4)}"
        self.path = folder / f"{OPEN}{name}{SUFFIX}"
        head = dict(zip(JOURNAL_HEAD, (JOURNAL_FORMAT, SUBMITTED_LISTENS, listener, name), strict=True))
        self._handle = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, FILE_MODE)
        self._inode = os.fstat(self._handle).st_ino
        self._synced = 0
        try:
            self.append(f"{json.dumps(head)}\n".encode("ascii"))
            sync_folder(folder)
        except OSError:
            os.close(self._handle)
            os.unlink(self.path)  # noqa: PTH108
            raise

    def append(self, content: bytes) -> None:
        """Write whole lines to the end, on disk when this returns. Where that fails, they are gone again."""
        try:
            rest = memoryview(content)
            while rest:
                rest = rest[os.write(self._handle, rest) :]
            os.fsync(self._handle)
        except OSError:
            # After a failed fsync nobody knows what is on disk behind the last one that did not fail.
            os.ftruncate(self._handle, self._synced)
            raise
        self._synced += len(content)

    def accepts(self, now: dt.datetime) -> bool:
        """Whether the journal is of this hour, has room, and is still the file of that name: somebody may have removed it."""
        try:
            is_there = self.path.stat().st_ino == self._inode
        except FileNotFoundError:
            is_there = False
        return is_there and self.hour == hour_of(now) and self._synced < MOST_BYTES

    def release(self) -> None:
        """Stop writing. The journal stays open by its name, so `close_journal` or a later writer closes it."""
        os.close(self._handle)


def close_journal(path: Path) -> bool:
    """Give a journal that nobody writes its final name, without what a killed writer left behind the last whole line.

    Returns whether there is a closed journal; one without listens is removed. Raises OSError.
    """
    try:
        handle = os.open(path, os.O_RDWR)
    except FileNotFoundError:
        return False
    with os.fdopen(handle, "r+b") as stream:
        kept, count = 0, 0
        for line in stream:
            if not _is_whole(line):
                break
            kept, count = kept + len(line), count + 1
        if stream.seek(0, os.SEEK_END) > kept:
            _logger.warning("%s: the last line was cut off, and never acknowledged: it is dropped", path)
            os.ftruncate(stream.fileno(), kept)
            os.fsync(stream.fileno())
    if count > 1:
        os.rename(path, path.with_name(path.name.removeprefix(OPEN)))  # noqa: PTH104 - a call that tests can cut off
    else:
        os.unlink(path)  # noqa: PTH108
    sync_folder(path.parent)
    return count > 1


def _is_whole(line: bytes) -> bool:
    if not line.endswith(b"\n"):
        return False
    try:
        return isinstance(json.loads(line), dict)
    except ValueError:
        return False


def sync_folder(folder: Path) -> None:
    """Without it, a name may be gone after a power failure although the content of its file is on disk."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
