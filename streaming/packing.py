"""Packing of older months of stream files: one archive a month and partition, each file as it was."""

from __future__ import annotations

import datetime as dt
import logging
from pathlib import Path

from lakehouse.landing.archive import ARCHIVE_ERRORS
from lakehouse.landing.packed import pack
from streaming.errors import StreamError
from streaming.landed import loose_files, month_folders
from streaming.places import PartitionPlace, partitions_in

log = logging.getLogger(__name__)

# Of a month, and of machines that disagree on its end.
WELL_LATER = dt.timedelta(days=1)


def pack_streams(inbox: Path, now: dt.datetime) -> int:
    """Pack the months before that of `now` (UTC), each under the lock of its partition; returns the number of files packed.

    What cannot be packed, on a disk that is full or read-only, is logged.
    """
    packed = 0
    for place in partitions_in(inbox):
        try:
            packed += _pack(place, f"{now - WELL_LATER:%Y-%m}")
        except (StreamError, *ARCHIVE_ERRORS) as error:
            log.warning("%s is not packed: %s", place.folder, error)
    return packed


def _pack(place: PartitionPlace, month: str) -> int:
    closed = {folder: names for folder in month_folders(place) if folder.name < month and (names := _names(folder))}
    if not closed:
        return 0
    with place.locked():
        return sum(pack(folder, names) for folder, names in closed.items())


def _names(folder: Path) -> list[str]:
    return [file.name for file in loose_files(folder)]
