"""Files within files: zip archives, gzip files, and archives within archives, within limits on size, number and depth."""

from __future__ import annotations

import gzip
import io
import shutil
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import IO, Any, NamedTuple

from lakehouse.landing.archive import (
    ARCHIVE_ERRORS,
    MAX_MEMBERS,
    MAX_RATIO,
    SMALL_MEMBER,
    TOTAL_FACTOR,
    RefusedArchiveError,
    fault_of,
    files_of,
    open_archive,
    refused_member,
)
from lakehouse.landing.formats import UNPACK, office_format

MEMBER = "!"
# An export in a zip file of a cloud drive in a zip file of a backup; what lies deeper is no history.
MAX_DEPTH = 3
SPOOLED_BYTES = 64 * 1024 * 1024
ZIP, GZIP = "zip", "gzip"
MAGIC = {b"PK\x03\x04": ZIP, b"PK\x05\x06": ZIP, b"\x1f\x8b\x08": GZIP}
NOISE = ("__MACOSX", "Thumbs.db", "desktop.ini")


@dataclass
class Budget:
    """How much a file of the landing folder may still expand to, over all levels."""

    max_bytes: int
    """of one member"""
    left_members: int = field(default=MAX_MEMBERS, init=False)
    left_bytes: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        self.left_bytes = TOTAL_FACTOR * self.max_bytes

    def take(self, members: int, size: int) -> None:
        """Raises RefusedArchiveError where so much is more than is left."""
        self.left_members -= members
        self.left_bytes -= size
        if self.left_members < 0:
            raise RefusedArchiveError(f"more than {MAX_MEMBERS} files in archives within archives: {UNPACK}")
        if self.left_bytes < 0:
            raise RefusedArchiveError(f"expands to more than {TOTAL_FACTOR * self.max_bytes:,} bytes: possibly a zip bomb")


class Member(NamedTuple):
    """A file to look at: the file of the landing folder itself, or one within it."""

    name: str | None
    """its name within; of archives within archives, the names joined by MEMBER; None for the file itself"""
    stream: IO[bytes] | None
    fault: str | None = None
    """why there is no stream"""
    mark: str = ""
    """what the archive's directory says of the content"""


def members(stream: IO[bytes], size: int, budget: Budget, name: str = "") -> Iterator[Member]:
    """The file itself, or all files in it; each stream is read before the next one is asked for.

    Hidden members and what operating systems add are passed over. Raises RefusedArchiveError for an archive that is damaged
    or dangerous as a whole; one within an archive, or a member, is a Member with a fault instead.
    """
    try:
        yield from _walk(stream, size, budget, PurePosixPath(name).name, None, 0)
    except (gzip.BadGzipFile, zlib.error, EOFError) as error:
        raise RefusedArchiveError(
            f"not a readable gzip file, perhaps an interrupted download: {error}: download it again"
        ) from error


def _walk(stream: IO[bytes], size: int, budget: Budget, name: str, path: str | None, depth: int) -> Iterator[Member]:
    kind = _kind(stream)
    if kind is None:
        yield Member(path, stream)
    elif depth == MAX_DEPTH:
        yield Member(path, None, f"an archive in {MAX_DEPTH} others is not read: {UNPACK}")
    elif kind == GZIP:
        inner = _name_in_gzip(name)
        for one in _walk(_expanded(stream, size, budget), size, budget, inner, _joined(path, inner), depth + 1):
            yield one if one.mark else one._replace(mark=str(size))
    else:
        with _seekable(stream, depth) as file, open_archive(file, budget.max_bytes) as archive:
            yield from _members_of(archive, budget, path, depth)


def _members_of(archive: zipfile.ZipFile, budget: Budget, path: str | None, depth: int) -> Iterator[Member]:
    infos = files_of(archive)
    if what := office_format(frozenset(archive.namelist())):
        raise RefusedArchiveError(what)
    shown = [info for info in infos if not _is_noise(info.filename)]
    if not shown:
        raise RefusedArchiveError("the archive holds no files: download it again")
    budget.take(len(infos), sum(info.file_size for info in infos))
    for info in shown:
        place = _joined(path, info.filename)
        mark = f"{info.CRC:08x}:{info.file_size}:{info.compress_size}"
        if fault := refused_member(info):
            yield Member(place, None, fault, mark)
            continue
        try:
            with archive.open(info) as member:
                name = PurePosixPath(info.filename).name
                for one in _walk(member, info.file_size, budget, name, place, depth + 1):
                    yield one if one.mark else one._replace(mark=mark)
        except (*ARCHIVE_ERRORS, RefusedArchiveError) as error:
            yield Member(place, None, fault_of(error), mark)


@contextmanager
def open_member(stream: IO[bytes], size: int, budget: Budget, member: str, name: str = "", depth: int = 0) -> Iterator[IO[bytes]]:
    """The stream of one member of the file `name`, by the name that `members` gave it.

    Raises RefusedArchiveError for what cannot be read, and what damaged archives raise (ARCHIVE_ERRORS).
    """
    kind = _kind(stream)
    if kind is None and not member:
        yield stream
    elif kind == GZIP and depth < MAX_DEPTH:
        inner, content = _name_in_gzip(PurePosixPath(name).name), _expanded(stream, size, budget)
        with open_member(content, size, budget, member[len(inner) + len(MEMBER) :], inner, depth + 1) as opened:
            yield opened
    elif kind == ZIP and depth < MAX_DEPTH:
        with _seekable(stream, depth) as file, open_archive(file, budget.max_bytes) as archive:
            info = archive.getinfo(next((one for one in _prefixes(member) if one in archive.NameToInfo), member))
            rest = member[len(info.filename) + len(MEMBER) :]
            with (
                archive.open(info) as content,
                open_member(content, info.file_size, budget, rest, info.filename, depth + 1) as opened,
            ):
                yield opened
    else:
        raise RefusedArchiveError("the archive has changed: run again")


def _prefixes(member: str) -> Iterator[str]:
    """The name itself, then what stands before each MEMBER in it: names may hold that character too."""
    yield member
    for at, character in enumerate(member):
        if character == MEMBER:
            yield member[:at]


def _joined(path: str | None, name: str) -> str:
    return name if path is None else f"{path}{MEMBER}{name}"


def _kind(stream: IO[bytes]) -> str | None:
    start = stream.read(4)
    stream.seek(0)
    return MAGIC.get(start, MAGIC.get(start[:3]))


def _name_in_gzip(name: str) -> str:
    return name[: -len(".gz")] if name.lower().endswith(".gz") and len(name) > len(".gz") else "content"


def _is_noise(name: str) -> bool:
    parts = name.replace("\\", "/").split("/")
    return any(part.startswith(".") or part in NOISE for part in parts)


@contextmanager
def _seekable(stream: IO[bytes], depth: int) -> Iterator[IO[bytes]]:
    """A stream that can be read in any order: a member of an archive is copied first."""
    if depth == 0:
        yield stream
        return
    with tempfile.SpooledTemporaryFile(SPOOLED_BYTES) as copy:
        shutil.copyfileobj(stream, copy)
        copy.seek(0)
        yield copy


def _expanded(stream: IO[bytes], size: int, budget: Budget) -> IO[bytes]:
    return io.BufferedReader(_Expanding(stream, size, budget))


class _Expanding(io.RawIOBase):
    """The content of a gzip file, which ends in RefusedArchiveError where it expands beyond the limits."""

    def __init__(self, stream: IO[bytes], size: int, budget: Budget) -> None:
        self.content, self.size, self.budget = gzip.GzipFile(fileobj=stream), size, budget
        self.position = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        self.position = self.content.seek(offset, whence)
        return self.position

    def readinto(self, buffer: Any) -> int:
        block = self.content.read(len(buffer))
        self.position += len(block)
        self.budget.take(0, len(block))
        if self.position > self.budget.max_bytes:
            raise RefusedArchiveError(f"expands to more than {self.budget.max_bytes:,} bytes: unpack it, and split it")
        if self.position > SMALL_MEMBER and self.position > MAX_RATIO * max(self.size, 1):
            raise RefusedArchiveError(f"expands more than {MAX_RATIO} times: possibly a zip bomb")
        buffer[: len(block)] = block
        return len(block)
