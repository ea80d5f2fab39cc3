"""What a backup holds: the lakehouse, landing folder, inbox, and of the state folder what is no secret; secrets apart."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from lakehouse.settings import Settings
from lakehouse.storage.lakehouse import RESTORING, STAGING
from lakehouse.storage.tombstones import FOLDER as TOMBSTONES
from upkeep.backup_places import FILE as BACKUPS

LAKEHOUSE, LANDING, INBOX, STATE = "lakehouse", "landing", "inbox", "state"
ROOTS = (LAKEHOUSE, LANDING, INBOX, STATE)
# Everything else in the state folder counts as a secret, also what a later version keeps there.
PLAIN_STATE = (TOMBSTONES, "scheduler.json")
# Of one machine and moment: locks, and what a killed process leaves.
PASSING = re.compile(r"_lock|_lock_holder|.*\.lock|\..*\.part|.*\.part|_commit_.*\.tmp|\.nfs.*")
NOT_COPIED = {STAGING, RESTORING}


@dataclass(frozen=True)
class Source:
    """A file to back up."""

    root: str
    path: str
    """below its root"""
    place: Path


def roots_of(settings: Settings) -> dict[str, Path]:
    """Where each root is on this machine."""
    return {LAKEHOUSE: settings.dir, LANDING: settings.landing, INBOX: settings.inbox_folder, STATE: settings.state_dir}


def files_of(settings: Settings) -> Iterator[Source]:
    """Every file to back up but the secrets. States of accounts come before their poll files.

    A poll that goes on meanwhile writes the file first: the backup then has files that the state does not count, which the next
    poll finds, and never the other way round.
    """
    roots = roots_of(settings)
    for root in ROOTS:
        others = {path for name, path in roots.items() if name != root}
        for place in _walk(roots[root], others):
            path = place.relative_to(roots[root]).as_posix()
            if root != STATE or path.split("/")[0] in PLAIN_STATE:
                yield Source(root, path, place)


def secrets_of(settings: Settings) -> list[Source]:
    """What is in the state folder beside that: tokens, people, keys."""
    paths = [(place, place.relative_to(settings.state_dir).as_posix()) for place in _walk(settings.state_dir, set())]
    kept = [(place, path) for place, path in paths if path.split("/")[0] not in PLAIN_STATE and path != BACKUPS]
    return [Source(STATE, path, place) for place, path in kept]


def _walk(root: Path, others: set[Path]) -> Iterator[Path]:
    """Regular files, also behind links, in an order in which what begins with _ comes first in each folder."""
    for folder, folders, names in os.walk(root):
        folders[:] = sorted(
            name
            for name in folders
            if name not in NOT_COPIED and Path(folder, name) not in others and not PASSING.fullmatch(name)
        )
        for name in sorted(names, key=lambda name: (not name.startswith("_"), name)):
            place = Path(folder, name)
            if name not in NOT_COPIED and not PASSING.fullmatch(name) and place.is_file():
                yield place
