"""Reading zip files from strangers: no path that leaves the archive, no bomb, no truncated member."""

from __future__ import annotations

import lzma
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

MAX_RATIO = 200
SMALL_MEMBER = 1024 * 1024
MAX_MEMBERS = 100_000


class RefusedArchiveError(Exception):
    """The archive is not read at all; the message says why."""


@contextmanager
def open_archive(path: Path, max_bytes: int) -> Iterator[zipfile.ZipFile]:
    """The opened archive, its directory checked before anything is read; errors of reading members surface as refusals too.

    Raises OSError where the file is missing, and RefusedArchiveError for a damaged archive or member, and for a member
    that is encrypted, has a path outside the archive, or expands to more than `max_bytes` or MAX_RATIO times its size
    (zipfile itself holds a member to the size and checksum that the directory states).
    """
    path.stat()
    try:
        with zipfile.ZipFile(path) as archive:
            _refuse_dangerous(files_of(archive), max_bytes)
            yield archive
    except (
        zipfile.BadZipFile,
        zipfile.LargeZipFile,
        zlib.error,
        lzma.LZMAError,
        EOFError,
        OSError,
        ValueError,
        RuntimeError,
    ) as error:
        raise RefusedArchiveError(f"not a readable zip file, perhaps an interrupted download: {error}") from error


def files_of(archive: zipfile.ZipFile) -> list[zipfile.ZipInfo]:
    """The members that are files, in the archive's order."""
    return [info for info in archive.infolist() if not info.is_dir()]


def _refuse_dangerous(files: list[zipfile.ZipInfo], max_bytes: int) -> None:
    if len(files) > MAX_MEMBERS:
        raise RefusedArchiveError(f"{len(files)} members, more than {MAX_MEMBERS}")
    names = [info.filename for info in files]
    if len(set(names)) != len(names):
        raise RefusedArchiveError("two members have the same name")
    for info in files:
        parts = PurePosixPath(info.filename.replace("\\", "/"))
        if not parts.parts or parts.is_absolute() or ".." in parts.parts or ":" in parts.parts[0]:
            raise RefusedArchiveError(f"member {info.filename!r} has a path outside the archive")
        if info.flag_bits & 0x1:
            raise RefusedArchiveError(f"member {info.filename!r} is encrypted")
        if info.file_size > max_bytes:
            raise RefusedArchiveError(f"member {info.filename!r} expands to {info.file_size:,} bytes (limit {max_bytes:,})")
        if info.file_size > SMALL_MEMBER and info.file_size > MAX_RATIO * max(info.compress_size, 1):
            raise RefusedArchiveError(
                f"member {info.filename!r} expands {info.file_size // max(info.compress_size, 1)} times: possibly a zip bomb"
            )
    if (total := sum(info.file_size for info in files)) > 20 * max_bytes:
        raise RefusedArchiveError(f"expands to {total:,} bytes in total")
