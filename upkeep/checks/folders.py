"""Disk space, owners and modes of what the product writes, and whether it can read what it is given."""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path

from lakehouse.private_files import FOR_OTHERS
from lakehouse.settings import ENV_FILES
from upkeep.checks.finding import Finding, SetUp, command, files_below

GIGABYTE = 2**30
ENTER = stat.S_IXGRP | stat.S_IXOTH


def disk(set_up: SetUp) -> Iterator[Finding]:
    """A disk with less room than a gigabyte, or than half of the lakehouse, which a full rebuild writes beside the old tables."""
    lakehouse = sum(path.lstat().st_size for path in files_below(set_up.lakehouse)) if set_up.lakehouse.is_dir() else 0
    for name, folder in set_up.own_folders.items():
        wanted = max(GIGABYTE, lakehouse // 2 if name == "lakehouse" else 0)
        free = shutil.disk_usage(_nearest(folder)).free
        if free < wanted:
            what = f"{free / GIGABYTE:.1f} GiB are free on the disk of the {name}; {wanted / GIGABYTE:.1f} GiB are needed"
            yield Finding(
                "disk", what, str(folder), "free some space; `lakehouse maintain` removes what no reader needs any more"
            )


def _nearest(folder: Path) -> Path:
    return next(place for place in (folder, *folder.parents) if place.is_dir())


def permissions(set_up: SetUp) -> Iterator[Finding]:
    """Folders that cannot be written to, landing files that cannot be read, and files of another user."""
    for name, folder in set_up.own_folders.items():
        # Nothing can be asked about a folder in one that is closed, which is named itself.
        if not os.path.isdir(folder):  # noqa: PTH112
            continue
        if not _may(folder, os.R_OK | os.W_OK | os.X_OK):
            yield Finding(
                "permissions", f"this user cannot read and write the {name} folder", str(folder), _own(folder, recursive=False)
            )
        elif strange := [path for path in files_below(folder) if path.lstat().st_uid != os.geteuid()]:
            what = f"{len(strange):,} of the {name}'s files and folders belong to another user, perhaps made by root"
            yield Finding("permissions", what, str(strange[0]), _own(folder, recursive=True))
    landing = set_up.settings.landing
    closed = [path for path in files_below(landing) if not _may(path, os.R_OK)] if landing.is_dir() else []
    if closed:
        what = f"{len(closed):,} files of the landing folder cannot be read"
        yield Finding("permissions", what, str(closed[0]), command("chmod", "-R", "u+rX", landing))


def _may(path: Path, mode: int) -> bool:
    return os.access(path, mode, effective_ids=os.access in os.supports_effective_ids)


def _own(folder: Path, *, recursive: bool) -> str:
    if recursive or folder.stat().st_uid != os.geteuid():
        return command("sudo", "chown", "-R", f"{os.geteuid()}:{os.getegid()}", folder)
    return command("chmod", "u+rwx", folder)


def privacy(set_up: SetUp) -> Iterator[Finding]:
    """What others of the machine may read of lakehouse, inbox, state and settings, as versions before this one left it."""
    for name, folder in set_up.own_folders.items():
        if folder.is_dir() and _can_be_reached(folder):
            open_ones = [path for path in files_below(folder) if not path.is_symlink() and path.stat().st_mode & FOR_OTHERS]
            if open_ones:
                what = f"others can read {len(open_ones):,} files and folders of the {name}"
                yield Finding("privacy", what, str(open_ones[0]), command("chmod", "-R", "go=", folder))
    for file in ENV_FILES:
        path = file.absolute()
        if path.is_file() and path.stat().st_mode & FOR_OTHERS and _can_be_reached(path):
            yield Finding(
                "privacy", "others can read the settings, which may hold keys", str(path), command("chmod", "600", path)
            )


def _can_be_reached(path: Path) -> bool:
    """Whether others can enter all folders above, and a folder itself."""
    folders = [*path.parents, path] if path.is_dir() else path.parents
    return all(folder.stat().st_mode & ENTER for folder in folders)
