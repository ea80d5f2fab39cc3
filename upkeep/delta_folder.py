"""One Delta table on disk: its files, and merging, removing and checkpointing them. No row changes.

Every step can be broken off anywhere and done again. Commits say that they change nothing, so that no table counts as stale.
"""

from __future__ import annotations

import datetime as dt
import json
import re
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from deltalake import CommitProperties, DeltaTable, WriterProperties

from lakehouse.storage.changes import NOTHING, unchanged_until
from lakehouse.storage.delta import COMMIT_FILE, newest_commit

LOG = "_delta_log"
CHECKPOINT = re.compile(r"(\d{20})\.checkpoint(\..+)?\.parquet")
# What delta-rs writes before it renames it: a killed process leaves it behind.
UNFINISHED = re.compile(r"_commit_.*\.tmp|.*#\d+")
# Fewer or larger ones cost readers little; what is merged takes its disk space twice, until the old files go.
SMALL_BYTES, MANY_SMALL = 16 * 2**20, 5
# As Spark's: reading a table takes one checkpoint and at most so many commits, until the next upkeep.
CHECKPOINT_COMMITS = 10
NO_CHANGE = {"userMetadata": json.dumps({"changed": NOTHING.to_json()})}


@dataclass(frozen=True)
class Size:
    """What a table takes on disk."""

    files: int
    """Parquet files, those of earlier versions included"""
    log_files: int
    bytes: int
    """of both"""

    def __add__(self, other: Size) -> Size:
        return Size(self.files + other.files, self.log_files + other.log_files, self.bytes + other.bytes)


def size_of(table: Path) -> Size:
    """What a table takes on disk. Raises OSError."""
    log, data = [], []
    for file in table.rglob("*"):
        if file.is_file():
            (log if file.parent.name == LOG else data).append(file.stat().st_size)
    return Size(len(data), len(log), sum(log) + sum(data))


class DeltaFolder:
    """Upkeep of the table at `path`, whose `pinned` versions stay readable. The caller holds the lock of the lakehouse."""

    def __init__(self, path: Path, pinned: Collection[int], keep: dt.timedelta) -> None:
        self.path, self.keep = path, keep
        newest = newest_commit(path)
        self.newest = newest.version if newest else 0
        self.pinned = sorted(version for version in pinned if version <= self.newest)

    def small_files(self) -> int:
        """How many small files the newest version has, if they are enough to be merged; else 0."""
        sizes = DeltaTable(self.path).get_add_actions()["size_bytes"].to_pylist()
        small = sum(size < SMALL_BYTES for size in sizes)
        return small if small >= MANY_SMALL else 0

    def compact(self) -> int:
        """Merge small files in one commit; returns how many were merged."""
        if not self.small_files():
            return 0
        merged = DeltaTable(self.path).optimize.compact(
            writer_properties=WriterProperties(compression="SNAPPY"),
            commit_properties=CommitProperties(custom_metadata=NO_CHANGE),
        )
        return int(merged["numFilesRemoved"])

    def unused_files(self) -> list[str]:
        """Files that no version needs which is pinned or younger than `keep`; also those that a killed run left."""
        # Those of removed commits that the log still tells of are named although they are gone.
        return [name for name in self._vacuum(dry_run=True) if (self.path / name).is_file()]

    def vacuum(self) -> int:
        """Remove these files; returns how many there were."""
        # A removal takes two commits, also one of nothing.
        if files := self.unused_files():
            self._vacuum(dry_run=False)
        return len(files)

    def _vacuum(self, *, dry_run: bool) -> list[str]:
        newest = newest_commit(self.path)
        last = newest.version if newest else 0
        equal = {unchanged_until(self.path, version, last) for version in self.pinned}
        readable = sorted(version for version in equal if self._is_readable(version))
        return DeltaTable(self.path).vacuum(
            retention_hours=int(self.keep / dt.timedelta(hours=1)),
            dry_run=dry_run,
            enforce_retention_duration=False,
            full=True,
            keep_versions=readable,
            commit_properties=CommitProperties(custom_metadata=NO_CHANGE),
        )

    def _is_readable(self, version: int) -> bool:
        """Whether the log still tells of a version: from a checkpoint before it, or from the beginning."""
        commits, checkpoints = self._commits(), self._checkpoints()
        start = max((one for one in checkpoints if one <= version), default=-1)
        return all(number in commits for number in range(start + 1, version + 1))

    def checkpoint(self) -> bool:
        """Write a checkpoint where many commits came since the last one; whether it did."""
        newest = newest_commit(self.path)
        last = max(self._checkpoints(), default=-1)
        if newest is None or newest.version - last < CHECKPOINT_COMMITS:
            return False
        DeltaTable(self.path).create_checkpoint()
        return True

    def old_log(self, now: dt.datetime) -> list[Path]:
        """Commits and checkpoints of the log that no version needs which is pinned or younger than `keep`.

        What stays begins with a checkpoint. Tables look at all commits since the version that they consumed.
        """
        commits, checkpoints = self._commits(), self._checkpoints()
        since = (now - self.keep).timestamp()
        young = [version for version, file in commits.items() if file.stat().st_mtime >= since]
        # The version before a young commit could still be read when that was written.
        needed = min([self.newest, *self.pinned, *(version - 1 for version in young)])
        first = max((version for version in checkpoints if version <= needed), default=0)
        files = [file for version, file in commits.items() if version < first]
        return sorted([*files, *(file for version, parts in checkpoints.items() if version < first for file in parts)])

    def clean_log(self, now: dt.datetime) -> int:
        """Remove these, the oldest first, and what killed writers left; returns how many there were."""
        files = [*self.old_log(now), *self.unfinished()]
        for file in files:
            file.unlink()
        return len(files)

    def unfinished(self) -> list[Path]:
        """Files of the log that a killed process did not finish."""
        return [file for file in (self.path / LOG).iterdir() if UNFINISHED.fullmatch(file.name)]

    def _commits(self) -> dict[int, Path]:
        return {int(file.stem): file for file in (self.path / LOG).iterdir() if COMMIT_FILE.fullmatch(file.name)}

    def _checkpoints(self) -> dict[int, list[Path]]:
        found: dict[int, list[Path]] = {}
        for file in (self.path / LOG).iterdir():
            if (match := CHECKPOINT.fullmatch(file.name)) is not None:
                found.setdefault(int(match[1]), []).append(file)
        return found
