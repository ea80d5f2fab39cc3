"""How much room the folders of the product have left."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import NamedTuple

from lakehouse.settings import Settings


class Disk(NamedTuple):
    """The disk of a folder, bytes."""

    folder: Path
    free: int
    total: int


def disks(settings: Settings) -> dict[str, Disk]:
    """The disk of each folder that is written to, by what the folder is."""
    folders = {"lakehouse": settings.dir, "inbox": settings.inbox_folder, "state": settings.state_dir}
    return {name: _disk(folder) for name, folder in folders.items()}


def existing(folder: Path) -> Path:
    """The folder, or the first one above it that is there."""
    return next(one for one in (folder, *folder.parents) if one.exists())


def _disk(folder: Path) -> Disk:
    size = shutil.disk_usage(existing(folder))
    return Disk(folder, size.free, size.total)
