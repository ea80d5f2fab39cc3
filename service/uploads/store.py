"""Where what people brought lies in the inbox: by listener, under the hash of its content, whatever its sender called it."""

from __future__ import annotations

import datetime as dt
import os
import re
from dataclasses import dataclass
from pathlib import Path

from lakehouse.settings import HOUSE, LISTENERS
from polling.files import make_folder, sync_folder
from service.uploads.incoming import Arrived

NAME = re.compile(r"(?P<sha256>[0-9a-f]{64})(?P<suffix>\.[a-z0-9]{1,8})?")
# Those that sources and messages look at; any other is left away.
SUFFIXES = (".zip", ".gz", ".json", ".jsonl", ".csv", ".tsv", ".txt", ".arrow")


@dataclass(frozen=True)
class Brought:
    """A file that somebody brought."""

    sha256: str
    suffix: str
    size: int
    at: dt.datetime


def folder_of(inbox: Path, listener: str | None) -> Path:
    """The folder of a listener's files; None: of the house's."""
    return inbox / HOUSE if listener is None else inbox / LISTENERS / listener


def suffix_of(file_name: str) -> str:
    """The ending that a file is stored with; nothing else of the sender's name for it is."""
    suffix = os.path.splitext(file_name)[1].lower()  # noqa: PTH122 - the name is no path here
    return suffix if suffix in SUFFIXES else ""


def keep(arrived: Arrived, inbox: Path, listener: str | None, suffix: str) -> bool:
    """Put an upload where runs read it; False if the listener brought the same before, which stays. Raises OSError."""
    folder = folder_of(inbox, listener)
    make_folder(folder)
    if any(one.sha256 == arrived.sha256 for one in brought(inbox, listener)):
        return False
    os.replace(arrived.path, folder / f"{arrived.sha256}{suffix}")  # noqa: PTH105
    sync_folder(folder)
    return True


def brought(inbox: Path, listener: str | None) -> list[Brought]:
    """What a listener brought, the latest first. Raises OSError."""
    folder = folder_of(inbox, listener)
    if not folder.is_dir():
        return []
    found = []
    for path in folder.iterdir():
        if (match := NAME.fullmatch(path.name)) is not None:
            stat = path.stat()
            at = dt.datetime.fromtimestamp(stat.st_mtime, dt.timezone.utc)
            found.append(Brought(match["sha256"], match["suffix"] or "", stat.st_size, at))
    return sorted(found, key=lambda one: (one.at, one.sha256), reverse=True)
