"""Reading zip files from strangers: no path that leaves the archive, no bomb, no truncated member."""

from __future__ import annotations

import lzma
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import IO

from lakehouse.landing.formats import UNPACK

MAX_RATIO = 200
SMALL_MEMBER = 1024 * 1024
MAX_MEMBERS = 100_000
TOTAL_FACTOR = 20
ARCHIVE_ERRORS = (
    zipfile.BadZipFile,
    zipfile.LargeZipFile,
    zlib.error,
    lzma.LZMAError,
    EOFError,
    OSError,
    ValueError,
    RuntimeError,
)
DEFLATE64 = 9
READ_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA)
PUT_FILES = "unpack it with care, and put the files that you trust into the landing folder"


class RefusedArchiveError(Exception):
    """The archive, or a member, is not read; the message says why, and what to do."""


@contextmanager
def open_archive(file: Path | IO[bytes], max_bytes: int) -> Iterator[zipfile.ZipFile]:
    """The opened archive, its directory checked before anything is read; errors of reading members surface as refusals too.

    Raises OSError where the file is missing, and RefusedArchiveError for a damaged archive or member, and for a member
    that has a path outside the archive, or expands to more than `max_bytes` or MAX_RATIO times its size (zipfile itself
    holds a member to the size and checksum that the directory states).
    """
    if isinstance(file, Path):
        file.stat()
    try:
        with zipfile.ZipFile(file) as archive:
            _refuse_dangerous(files_of(archive), max_bytes)
            yield archive
    except ARCHIVE_ERRORS as error:
        raise RefusedArchiveError(fault_of(error)) from error


def fault_of(error: Exception) -> str:
    """What is wrong with an archive or a member that raised the error, and what to do."""
    if isinstance(error, RefusedArchiveError):
        return str(error)
    if "Bad CRC-32" in str(error):
        return f"damaged in the zip file ({error}): download the archive again"
    return f"not a readable zip file, perhaps an interrupted download: {error}: download it again"


def files_of(archive: zipfile.ZipFile) -> list[zipfile.ZipInfo]:
    """The members that are files, in the archive's order."""
    return [info for info in archive.infolist() if not info.is_dir()]


def refused_member(info: zipfile.ZipInfo) -> str | None:
    """Why a member cannot be read although its archive can; None for one that can."""
    if info.flag_bits & 0x1:
        return f"it is encrypted: {UNPACK}"
    if info.compress_type == DEFLATE64:
        return f"it is compressed with Deflate64, as Windows does with large files, which is not read: {UNPACK}"
    if info.compress_type not in READ_METHODS:
        return f"it is compressed with a method ({info.compress_type}) that is not read: {UNPACK}"
    return None


def _refuse_dangerous(files: list[zipfile.ZipInfo], max_bytes: int) -> None:
    if len(files) > MAX_MEMBERS:
        raise RefusedArchiveError(f"{len(files)} members, more than {MAX_MEMBERS}")
    names = [info.filename for info in files]
    if len(set(names)) != len(names):
        raise RefusedArchiveError(f"two members have the same name: {PUT_FILES}")
    for info in files:
        parts = PurePosixPath(info.filename.replace("\\", "/"))
        if not parts.parts or parts.is_absolute() or ".." in parts.parts or ":" in parts.parts[0]:
            raise RefusedArchiveError(f"member {info.filename!r} has a path outside the archive: {PUT_FILES}")
        if info.file_size > max_bytes:
            raise RefusedArchiveError(f"member {info.filename!r} expands to {info.file_size:,} bytes (limit {max_bytes:,})")
        if info.file_size > SMALL_MEMBER and info.file_size > MAX_RATIO * max(info.compress_size, 1):
            raise RefusedArchiveError(
                f"member {info.filename!r} expands {info.file_size // max(info.compress_size, 1)} times: possibly a zip bomb"
            )
    if (total := sum(info.file_size for info in files)) > TOTAL_FACTOR * max_bytes:
        raise RefusedArchiveError(f"expands to {total:,} bytes in total")
