"""What a run does with journals before it looks for files: close what nobody writes, and pack what is of older months."""

from __future__ import annotations

import datetime as dt
import logging
from pathlib import Path

from lakehouse.landing.archive import ARCHIVE_ERRORS
from lakehouse.landing.packed import pack
from lakehouse.settings import Settings
from music.envelopes import SUBMITTED_LISTENS
from polling.places import HIDDEN
from polling.progress import end_of
from service.submissions.closing import BusyError, close_left, locked_journals
from service.submissions.journal import OPEN, SUFFIX

PACK_LOCK = "_pack.lock"
# A journal of the last hour of a month is closed soon after; and clocks differ.
WELL_LATER = dt.timedelta(days=1)

_logger = logging.getLogger(__name__)


def before_run(settings: Settings) -> None:
    """What a run does before it looks for files: close what no living service writes, and pack months that are over."""
    inbox = settings.inbox_folder
    if not (inbox / SUBMITTED_LISTENS).is_dir():
        return
    try:
        with locked_journals(inbox):
            close_left(inbox)
    except BusyError:
        _logger.info("a service writes the journals in %s: it closes them at the end of the hour", inbox / SUBMITTED_LISTENS)
    pack_journals(inbox, dt.datetime.now(dt.timezone.utc))


def pack_journals(inbox: Path, now: dt.datetime) -> int:
    """Pack the closed journals of months that are over, a folder each; returns how many were packed.

    What cannot be packed, on a disk that is full or read-only, is logged.
    """
    packed = 0
    try:
        with locked_journals(inbox, PACK_LOCK):
            for folder in sorted((inbox / SUBMITTED_LISTENS).glob("*/*")):
                if not folder.parent.name.startswith(HIDDEN) and _is_over(folder.name, now):
                    names = [path.name for path in folder.glob(f"*{SUFFIX}")]
                    packed += 0 if any(name.startswith(OPEN) for name in names) else pack(folder, names)
    except BusyError:
        _logger.info("another run packs the journals in %s", inbox / SUBMITTED_LISTENS)
    except ARCHIVE_ERRORS as error:
        _logger.warning("journals in %s are not packed: %s", inbox / SUBMITTED_LISTENS, error)
    return packed


def _is_over(month: str, now: dt.datetime) -> bool:
    try:
        return now >= end_of(month) + WELL_LATER
    except ValueError:
        return False
