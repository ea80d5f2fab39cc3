"""Packing of older months: the poll files of an account in one archive a month, each as it was.

A month is packed once nothing is written to it any more, and the state of the account counts all its files. So the inbox has a
file per answer for two months at most, and one per month before.
"""

from __future__ import annotations

import datetime as dt
import logging
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from urllib.parse import unquote

from lakehouse.landing.archive import ARCHIVE_ERRORS
from lakehouse.landing.packed import pack
from polling.inbox_files import PollFile, loose_files
from polling.places import HIDDEN, AccountPlace
from polling.progress import end_of
from polling.state import AccountState, BusyError, StateError, load_state, locked

log = logging.getLogger(__name__)

# Servers of one source may disagree on the date, and a poll over midnight has answers of both days.
WELL_LATER = dt.timedelta(days=1)


def pack_inbox(inbox: Path) -> int:
    """Pack what can be packed of each account, under its lock, without waiting for it; returns the number of files packed.

    The caller holds the lock of the lakehouse. What cannot be packed, on a disk that is full or read-only, is logged.
    """
    packed = 0
    for place in _accounts(inbox):
        try:
            if not _closed(place):
                continue
            with locked(place):
                # A poll may have been here meanwhile.
                packed += sum(pack(folder, names) for folder, names in _closed(place).items())
        except BusyError:
            log.info("%s is being polled: a later run packs it", place.folder)
        except (StateError, *ARCHIVE_ERRORS) as error:
            log.warning("%s is not packed: %s", place.folder, error)
    return packed


def files_to_pack(inbox: Path) -> int:
    """How many poll files a pack would put into archives; those of an account whose state cannot be read do not count."""
    found = 0
    for place in _accounts(inbox):
        try:
            found += sum(map(len, _closed(place).values()))
        except (StateError, OSError) as error:
            log.warning("%s is not packed: %s", place.folder, error)
    return found


def _accounts(inbox: Path) -> Iterator[AccountPlace]:
    """The accounts that have a state; raises nothing for folders that are none."""
    for folder in sorted(inbox.glob("*/*")):
        # Names of accounts are quoted, so that any other name is no account's.
        if not str(folder.relative_to(inbox)).isascii():
            continue
        place = AccountPlace(inbox, folder.parent.name, unquote(folder.name))
        if not folder.name.startswith(HIDDEN) and place.folder == folder and place.state.is_file() and folder.is_dir():
            yield place


def _closed(place: AccountPlace) -> dict[Path, list[str]]:
    """By folder of a month that can be packed, the names of its loose poll files. Raises StateError and OSError."""
    state = load_state(place, "")
    found = sorted(loose_files(place), key=lambda file: file.folder)
    months = {folder: list(files) for folder, files in groupby(found, key=lambda file: file.folder)}
    return {folder: [file.name for file in files] for folder, files in months.items() if _is_closed(folder.name, files, state)}


def _is_closed(month: str, files: list[PollFile], state: AccountState) -> bool:
    try:
        end = end_of(month)
    except ValueError:
        return False
    if state.polled_at is None or state.polled_at < end + WELL_LATER:
        return False
    return all(file.number <= (state.backfill_sequence if file.is_backfill else state.sequence) for file in files)
