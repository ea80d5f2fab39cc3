"""Packed folders of the inbox: many small files as one zip in their folder, each as it was, and known as before.

A scan sees a packed file where it lay, with its name, size and time. So packing changes nothing of what is remembered of a file,
and reads none again. A file that lies loose beside the archive that holds it, as after a kill, is one file.
"""

from __future__ import annotations

import os
import re
import shutil
import zipfile
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

ARCHIVE_NAME = re.compile(r"_packed(?:-(\d+))?\.zip")
PART = "_packed.part"
FILE_MODE = 0o600
# Keeps the directory of one archive small, and the loss small where a disk damages one.
MOST_MEMBERS = 5000


@dataclass(frozen=True)
class PackedFile:
    """A file in an archive of its folder."""

    folder: Path
    name: str
    size: int
    modified_ns: int
    archive: Path


def archives_in(folder: Path) -> list[Path]:
    """The archives of a packed folder, the oldest first; none of a folder that is missing or not packed."""
    if not folder.is_dir():
        return []
    found = [(int(match[1] or 1), path) for path in folder.iterdir() if (match := ARCHIVE_NAME.fullmatch(path.name))]
    return [path for _, path in sorted(found)]


def archives_under(root: Path) -> list[Path]:
    """The archives of all packed folders in a folder, without those in hidden ones, or in ones whose name begins with _."""
    found = []
    for folder, folders, names in os.walk(root):
        folders[:] = [name for name in folders if not name.startswith((".", "_"))]
        found += [Path(folder, name) for name in names if ARCHIVE_NAME.fullmatch(name)]
    return sorted(found)


def files_of(archive: Path) -> list[PackedFile]:
    """What an archive holds of its folder. Raises ARCHIVE_ERRORS for one that is damaged, and OSError."""
    with zipfile.ZipFile(archive) as opened:
        return [
            PackedFile(archive.parent, info.filename, info.file_size, int(info.comment or 0), archive)
            for info in opened.infolist()
            if Path(info.filename).name == info.filename and not info.filename.startswith((".", "_"))
        ]


class Archives:
    """Reads packed files; one archive stays open, as neighbours are read one after the other. Close it after use."""

    def __init__(self) -> None:
        self._opened: zipfile.ZipFile | None = None
        self._path: Path | None = None

    def read(self, archive: Path, name: str) -> bytes:
        """Raises ARCHIVE_ERRORS for what is damaged, KeyError where there is no such file, and OSError."""
        if self._opened is None or self._path != archive:
            self.close()
            self._opened, self._path = zipfile.ZipFile(archive), archive
        return self._opened.read(name)

    def close(self) -> None:
        """Close what is open."""
        if self._opened is not None:
            self._opened.close()
        self._opened = self._path = None


def pack(folder: Path, names: Collection[str]) -> int:
    """Put the files of a folder with these names into archives, then remove them; returns how many were removed.

    The caller sees to it that nobody writes them. Killed anywhere, the files are loose, packed or both, and another call goes on.
    Raises ARCHIVE_ERRORS for an archive that was damaged, and OSError; what was not packed stays then.
    """
    (folder / PART).unlink(missing_ok=True)
    removed = 0
    for archive in archives_in(folder):
        removed += _remove_packed(folder, archive, names)
    loose = sorted(name for name in names if (folder / name).is_file())
    for first in range(0, len(loose), MOST_MEMBERS):
        archive = _next_archive(folder)
        _write(folder, archive, loose[first : first + MOST_MEMBERS])
        removed += _remove_packed(folder, archive, names)
    return removed


def remove_from(archive: Path, names: Collection[str]) -> int:
    """Take files out of an archive, which is removed with its last one; returns how many it held.

    The caller sees to it that nobody packs or reads here. Raises ARCHIVE_ERRORS for an archive that is damaged, and OSError.
    """
    part = archive.with_name(PART)
    with zipfile.ZipFile(archive) as opened:
        kept = [info for info in opened.infolist() if info.filename not in names]
        removed = len(opened.infolist()) - len(kept)
        if not removed:
            return 0
        if kept:
            handle = os.open(part, os.O_RDWR | os.O_CREAT | os.O_TRUNC, FILE_MODE)
            with os.fdopen(handle, "w+b") as stream:
                with zipfile.ZipFile(stream, "w", zipfile.ZIP_STORED) as written:
                    for info in kept:
                        written.writestr(info, opened.read(info))
                stream.flush()
                os.fsync(stream.fileno())
    if kept:
        os.replace(part, archive)  # noqa: PTH105
    else:
        os.unlink(archive)  # noqa: PTH108
    _sync(archive.parent)
    return removed


def _next_archive(folder: Path) -> Path:
    before = archives_in(folder)
    last = ARCHIVE_NAME.fullmatch(before[-1].name) if before else None
    return folder / ("_packed.zip" if last is None else f"_packed-{int(last[1] or 1) + 1}.zip")


def _write(folder: Path, archive: Path, names: Collection[str]) -> None:
    """The archive is there only when all of it is on disk."""
    part = folder / PART
    handle = os.open(part, os.O_RDWR | os.O_CREAT | os.O_TRUNC, FILE_MODE)
    with os.fdopen(handle, "w+b") as stream:
        with zipfile.ZipFile(stream, "w", zipfile.ZIP_STORED) as opened:
            for name in names:
                _add(opened, folder / name)
        stream.flush()
        os.fsync(stream.fileno())
    os.replace(part, archive)  # noqa: PTH105 - as in all of this, a call of the operating system that tests can cut off
    _sync(folder)


def _add(opened: zipfile.ZipFile, path: Path) -> None:
    stat = path.stat()
    info = zipfile.ZipInfo(path.name)
    info.external_attr = FILE_MODE << 16
    # The times of a zip have steps of two seconds; a scan compares nanoseconds.
    info.comment = str(stat.st_mtime_ns).encode()
    info.file_size = stat.st_size
    with path.open("rb") as source, opened.open(info, "w") as target:
        shutil.copyfileobj(source, target)


def _remove_packed(folder: Path, archive: Path, names: Collection[str]) -> int:
    """Remove the loose files whose bytes the archive holds; returns how many."""
    removed = 0
    with zipfile.ZipFile(archive) as opened:
        for name in opened.namelist():
            path = folder / name
            if name in names and path.is_file() and path.read_bytes() == opened.read(name):
                os.unlink(path)  # noqa: PTH108
                removed += 1
    _sync(folder)
    return removed


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
