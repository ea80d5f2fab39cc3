"""The poll files of an account, wherever they lie: loose in the folder of their month, or packed in it.

Polls and backfills number their files apart, so that the one says nothing of what the other has received.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from lakehouse.landing.archive import ARCHIVE_ERRORS
from lakehouse.landing.packed import Archives, archives_in, files_of
from polling.envelope import BACKFILL, Envelope, EnvelopeError, Head, parsed, parsed_head
from polling.places import AccountPlace

NAME = re.compile(rf"(?P<backfill>{BACKFILL})?(?P<number>\d{{8,}})-\d{{8}}T\d{{6}}Z\.json(\.gz)?")


@dataclass(frozen=True)
class PollFile:
    """A poll file."""

    number: int
    is_backfill: bool
    name: str
    """the same before and after packing"""
    folder: Path
    """of its month"""
    archive: Path | None = None
    """None where it lies loose"""
    archives: Archives | None = field(default=None, compare=False, repr=False)

    def head(self) -> Head:
        """The envelope without its answer. Raises EnvelopeError for a file that is no poll file, and OSError."""
        return parsed_head(self._content(), self.folder / self.name)

    def envelope(self) -> Envelope:
        """Raises EnvelopeError for a file that is no poll file, and OSError."""
        return parsed(self._content(), self.folder / self.name)

    def _content(self) -> bytes:
        if self.archive is None or self.archives is None:
            return (self.folder / self.name).read_bytes()
        try:
            return self.archives.read(self.archive, self.name)
        except (*ARCHIVE_ERRORS, KeyError) as error:
            raise EnvelopeError(f"{self.archive} is damaged ({error}): restore it from a backup") from error


def loose_files(place: AccountPlace) -> list[PollFile]:
    """Those that are not packed, the newest number first."""
    found = []
    for folder in month_folders(place):
        found += [file for name in os.listdir(folder) if (file := _file(folder, name)) is not None]  # noqa: PTH208
    return sorted(found, key=lambda file: file.number, reverse=True)


@contextmanager
def poll_files(place: AccountPlace) -> Iterator[list[PollFile]]:
    """All poll files, the newest first, to be read inside of the context. Raises EnvelopeError and OSError."""
    found = {(file.folder, file.name): file for file in loose_files(place)}
    archives = Archives()
    try:
        for folder in month_folders(place):
            for archive in archives_in(folder):
                for file in _packed(folder, archive, archives):
                    found.setdefault((folder, file.name), file)
        yield sorted(found.values(), key=lambda file: (file.number, file.name), reverse=True)
    finally:
        archives.close()


def month_folders(place: AccountPlace) -> list[Path]:
    """The folders with poll files, the newest month first."""
    if not place.folder.is_dir():
        return []
    return sorted((path for path in place.folder.iterdir() if path.is_dir() and not path.is_symlink()), reverse=True)


def last_number(files: list[PollFile], *, is_backfill: bool) -> int:
    """0 where there is none."""
    return max((file.number for file in files if file.is_backfill is is_backfill), default=0)


def _packed(folder: Path, archive: Path, archives: Archives) -> Iterator[PollFile]:
    try:
        names = [one.name for one in files_of(archive)]
    except ARCHIVE_ERRORS as error:
        raise EnvelopeError(f"{archive} is damaged ({error}): restore it from a backup") from error
    for name in names:
        if (file := _file(folder, name, archive, archives)) is not None:
            yield file


def _file(folder: Path, name: str, archive: Path | None = None, archives: Archives | None = None) -> PollFile | None:
    match = NAME.fullmatch(name)
    if match is None:
        return None
    return PollFile(int(match["number"]), match["backfill"] is not None, name, folder, archive, archives)
