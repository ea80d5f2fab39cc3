"""Which messages of a partition lie in the inbox: their names say so, whether they are loose or packed.

A name is `EPOCH-FIRST-LAST.jsonl.gz`. The epoch rises when a topic begins to count its offsets anew.
"""

from __future__ import annotations

import gzip
import json
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from lakehouse.landing.archive import ARCHIVE_ERRORS
from lakehouse.landing.packed import Archives, archives_in, files_of
from music.stream_files import STREAM_FORMAT
from streaming.errors import StreamError
from streaming.places import PartitionPlace

NAME = re.compile(r"(?P<epoch>\d{4})-(?P<first>\d{20})-(?P<last>\d{20})\.jsonl(\.gz)?")
GZIP = b"\x1f\x8b"


class Reach(NamedTuple):
    """How far the messages of a partition have been landed."""

    epoch: int
    last: int
    """offset; -1 where none is landed in the epoch"""


NOTHING = Reach(1, -1)


@dataclass(frozen=True)
class StreamFile:
    """A file of a partition."""

    epoch: int
    first: int
    last: int
    name: str
    folder: Path
    archive: Path | None = None
    """None where it lies loose"""

    @property
    def reach(self) -> Reach:
        """How far it reaches."""
        return Reach(self.epoch, self.last)

    def lines(self) -> Iterator[dict[str, Any]]:
        """Its first line, then its messages. Raises StreamError for a file that is damaged, and OSError."""
        try:
            raw = self._content()
            for line in (gzip.decompress(raw) if raw.startswith(GZIP) else raw).splitlines():
                yield json.loads(line)
        except (*ARCHIVE_ERRORS, KeyError) as error:
            raise StreamError(
                f"{self.archive or self.folder / self.name} cannot be read ({error}): restore it from a backup"
            ) from error

    def head(self) -> dict[str, Any]:
        """What it says of itself. Raises StreamError for a file that is no stream file, and OSError."""
        head = next(self.lines(), None)
        if not isinstance(head, dict) or head.get("format") != STREAM_FORMAT:
            raise StreamError(f"{self.folder / self.name} is no stream file: restore it from a backup, or move it away")
        return head

    def _content(self) -> bytes:
        if self.archive is None:
            return (self.folder / self.name).read_bytes()
        archives = Archives()
        try:
            return archives.read(self.archive, self.name)
        finally:
            archives.close()


def file_name(epoch: int, first: int, last: int) -> str:
    """The name of a file, without what tells whether it is compressed."""
    return f"{epoch:04d}-{first:020d}-{last:020d}.jsonl"


def month_folders(place: PartitionPlace) -> list[Path]:
    """The folders with stream files, the oldest first."""
    if not place.folder.is_dir():
        return []
    return sorted(path for path in place.folder.iterdir() if path.is_dir() and not path.is_symlink())


def loose_files(folder: Path) -> list[StreamFile]:
    """Those of a month that are not packed."""
    return [file for name in os.listdir(folder) if (file := _file(folder, name)) is not None]  # noqa: PTH208


class Landed:
    """The files of one partition. Archives do not change, so each is read once."""

    def __init__(self, place: PartitionPlace) -> None:
        self.place = place
        self._packed: dict[Path, list[StreamFile]] = {}

    def files(self) -> list[StreamFile]:
        """All of them, in the order of their messages. Raises StreamError for an archive that is damaged, and OSError."""
        found: dict[str, StreamFile] = {}
        for folder in month_folders(self.place):
            # Loose files first: one that is packed meanwhile is then in an archive.
            found |= {file.name: file for file in loose_files(folder)}
            for archive in archives_in(folder):
                if archive not in self._packed:
                    self._packed[archive] = _packed_files(archive)
                for file in self._packed[archive]:
                    found.setdefault(file.name, file)
        return sorted(found.values(), key=lambda file: (file.reach, file.first))

    def last_file(self) -> StreamFile | None:
        """The one that holds the last landed message; None where there is none. Raises as `files` does."""
        files = self.files()
        return files[-1] if files else None

    def reach(self) -> Reach:
        """How far the files reach. Raises as `files` does."""
        last = self.last_file()
        return NOTHING if last is None else last.reach


def _packed_files(archive: Path) -> list[StreamFile]:
    try:
        names = [one.name for one in files_of(archive)]
    except ARCHIVE_ERRORS as error:
        raise StreamError(f"{archive} is damaged ({error}): restore it from a backup") from error
    return [file for name in names if (file := _file(archive.parent, name, archive)) is not None]


def _file(folder: Path, name: str, archive: Path | None = None) -> StreamFile | None:
    match = NAME.fullmatch(name)
    if match is None:
        return None
    return StreamFile(int(match["epoch"]), int(match["first"]), int(match["last"]), name, folder, archive)
