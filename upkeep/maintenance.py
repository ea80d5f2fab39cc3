"""Upkeep of one lakehouse under its lock: the files and log of each table, the history of runs, the inbox, what was left over."""

from __future__ import annotations

import datetime as dt
import shutil
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import pyarrow as pa
from deltalake.exceptions import DeltaError

from lakehouse.declare.table import LAYERS
from lakehouse.engine.base import first_line
from lakehouse.storage.delta import newest_commit
from lakehouse.storage.lakehouse import STAGING, Lakehouse
from lakehouse.storage.ledger import Ledger
from lakehouse.storage.lock import locked
from polling.packing import files_to_pack, pack_inbox
from upkeep.delta_folder import DeltaFolder, Size, size_of
from upkeep.run_history import RunHistory


@dataclass(frozen=True)
class Policy:
    """How long what is old is kept."""

    versions: dt.timedelta
    """earlier versions of tables can be read"""
    history: dt.timedelta
    """runs, builds and results of rules are kept"""


@dataclass(frozen=True)
class TableUpkeep:
    """What was done to a table, or would be."""

    table: str
    before: Size
    after: Size | None
    """None where nothing was done: with --dry-run, and after an error"""
    merged: int = 0
    """small files that became part of larger ones"""
    removed: int = 0
    """files that no version needs any more"""
    removed_log: int = 0
    error: str | None = None


@dataclass(frozen=True)
class Maintained:
    """What was done to a lakehouse, or would be."""

    is_dry_run: bool
    tables: tuple[TableUpkeep, ...]
    trimmed_rows: int
    """rows of the history of runs"""
    packed_files: int
    """poll files of the inbox that went into an archive"""
    leftovers: tuple[str, ...]
    """folders that killed runs left, from the lakehouse's"""
    seconds: float


class Observer(Protocol):
    """Hears what is being done."""

    def begin(self, tables: int) -> None:
        """So many tables will be looked at."""

    def table(self, name: str) -> None:
        """This table's turn comes."""

    def done(self, upkeep: TableUpkeep) -> None:
        """This was done to it."""


def table_folders(root: Path) -> dict[str, Path]:
    """Every Delta table of a lakehouse, by name, also those that this version of the project does not know."""
    found = {f"{layer}.{log.parent.name}": log.parent for layer in LAYERS for log in sorted(root.glob(f"{layer}/*/_delta_log"))}
    return {name: folder for name, folder in found.items() if newest_commit(folder) is not None}


def pinned_versions(root: Path) -> dict[str, set[int]]:
    """By table, the versions that others consumed when they were built last: these read them again to see what changed.

    Of versions that are equal they read the last one, but look at all commits since the first.
    """
    folders, pinned = table_folders(root), dict[str, set[int]]()
    for built in Ledger(root).last_builds().values():
        for upstream, version in built.upstreams.items():
            # A model's is no version of a table.
            if upstream in folders:
                pinned.setdefault(upstream, set()).add(version)
    return pinned


def maintain(root: Path, inbox: Path, policy: Policy, observer: Observer, *, dry_run: bool = False) -> Maintained:
    """Do all of it, or with `dry_run` only say what would be done, which needs no lock.

    A table that cannot be worked on is named, and the others are done. Raises LockedError, NewerLakehouseError, OSError.
    """
    began = dt.datetime.now(dt.timezone.utc)
    Lakehouse(root).check_format()
    history = RunHistory(root, began - policy.history)
    if dry_run:
        looked = [_looked(name, folder, policy, began) for name, folder in _folders(root, pinned_versions(root), policy)]
        left = tuple(str(path.relative_to(root)) for path in _leftovers(root))
        return Maintained(True, tuple(looked), history.old_rows(), files_to_pack(inbox), left, _seconds(began))
    with locked(root):
        left = tuple(_remove_leftovers(root))
        packed = pack_inbox(inbox) if inbox.is_dir() else 0
        trimmed = RunHistory(root, began - policy.history).trim()
        tables = tuple(_worked_on(root, policy, observer, began))
    return Maintained(False, tables, trimmed, packed, left, _seconds(began))


def _seconds(began: dt.datetime) -> float:
    return round((dt.datetime.now(dt.timezone.utc) - began).total_seconds(), 2)


def _folders(root: Path, pinned: Mapping[str, Collection[int]], policy: Policy) -> Iterator[tuple[str, DeltaFolder]]:
    for name, path in table_folders(root).items():
        yield name, DeltaFolder(path, pinned.get(name, ()), policy.versions)


def _looked(name: str, folder: DeltaFolder, policy: Policy, now: dt.datetime) -> TableUpkeep:
    before = size_of(folder.path)
    try:
        log = [*folder.old_log(now), *folder.unfinished()]
        return TableUpkeep(name, before, None, folder.small_files(), len(folder.unused_files()), len(log))
    except (DeltaError, pa.ArrowException, OSError) as error:
        return TableUpkeep(name, before, None, error=first_line(error))


def _worked_on(root: Path, policy: Policy, observer: Observer, now: dt.datetime) -> Iterator[TableUpkeep]:
    pinned = pinned_versions(root)
    observer.begin(len(table_folders(root)))
    for name, folder in _folders(root, pinned, policy):
        observer.table(name)
        done = _done_to(name, folder, now)
        observer.done(done)
        yield done


def _done_to(name: str, folder: DeltaFolder, now: dt.datetime) -> TableUpkeep:
    before = size_of(folder.path)
    try:
        merged, removed = folder.compact(), folder.vacuum()
        folder.checkpoint()
        removed_log = folder.clean_log(now)
    except (DeltaError, pa.ArrowException, OSError) as error:
        return TableUpkeep(name, before, None, error=first_line(error))
    return TableUpkeep(name, before, size_of(folder.path), merged, removed, removed_log)


def _leftovers(root: Path) -> list[Path]:
    """What runs compute before they publish it, and models that were not written to the end."""
    staged = [root / STAGING] if (root / STAGING).is_dir() else []
    return [*staged, *sorted(root.glob("models/*/*.part"))]


def _remove_leftovers(root: Path) -> Iterator[str]:
    for path in _leftovers(root):
        shutil.rmtree(path)
        yield str(path.relative_to(root))
