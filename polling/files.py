"""Writing files so that a crash leaves the old content or the new one: for the owner's eyes only, and on disk once it returns."""

from __future__ import annotations

import os
from pathlib import Path

FILE_MODE, FOLDER_MODE = 0o600, 0o700
PART = ".part"


def make_folder(folder: Path) -> None:
    """Create the folder and those above it that are missing; the mode of a folder that is there stays. Raises OSError."""
    if folder.is_dir():
        return
    make_folder(folder.parent)
    try:
        os.mkdir(folder, FOLDER_MODE)  # noqa: PTH102 - as everything here, a call of the operating system that tests can cut off
    except FileExistsError:
        return
    sync_folder(folder.parent)


def write_file(path: Path, content: bytes, part: Path | None = None) -> None:
    """Put a file into its place, replacing one that is there. Its hidden part file is overwritten by the next attempt.

    `part` is where it is written first, on the same disk: beside it unless that is given. Raises OSError, for example on a full
    disk; nothing has changed then.
    """
    part = part or path.with_name(f".{path.name}{PART}")
    handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, FILE_MODE)
    try:
        rest = memoryview(content)
        while rest:
            rest = rest[os.write(handle, rest) :]
        os.fsync(handle)
    finally:
        os.close(handle)
    os.replace(part, path)  # noqa: PTH105
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Bring the names in a folder to the disk: a new one may else be gone after a power failure."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
