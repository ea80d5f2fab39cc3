"""Runs, builds and results of rules that are old enough to go, but for the last ones, which staleness and status ask for."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from deltalake import CommitProperties, DeltaTable

from lakehouse.storage import delta
from lakehouse.storage.ledger import PIPELINE_RUNS, QA_RESULTS, TABLE_BUILDS, Ledger
from upkeep.delta_folder import NO_CHANGE

HISTORY = (QA_RESULTS, TABLE_BUILDS, PIPELINE_RUNS)
# `lakehouse status` shows so many.
LAST_RUNS = 10


class RunHistory:
    """The history of one lakehouse, of which runs before `oldest` may go unless they are the last of something."""

    def __init__(self, root: Path, oldest: dt.datetime) -> None:
        self.ledger = Ledger(root)
        # Ids of runs begin with the time of their start.
        self.oldest = f"{oldest:%Y%m%dT%H%M%S}"
        self.staying = self._staying()

    def _staying(self) -> set[str]:
        """The last runs, the last of each status, the last build of each table and status, and the last check of each table."""
        runs = self.ledger.runs()
        builds = delta.read_rows(self.ledger.path(TABLE_BUILDS), ["run_id", "table_name", "status"])
        checks = delta.read_rows(self.ledger.path(QA_RESULTS), ["run_id", "table_name"])
        return {
            *(row["run_id"] for row in runs[:LAST_RUNS]),
            *_last(runs, "status"),
            *_last(builds, "table_name", "status"),
            *_last(checks, "table_name"),
        }

    def old_rows(self) -> int:
        """How many rows of the three tables go."""
        paths = [self.ledger.path(table) for table in HISTORY]
        return sum(self._is_old(row["run_id"]) for path in paths for row in delta.read_rows(path, ["run_id"]))

    def _is_old(self, run_id: str) -> bool:
        return run_id < self.oldest and run_id not in self.staying

    def trim(self) -> int:
        """Remove these rows, in one commit a table; returns how many there were."""
        removed = 0
        for table in HISTORY:
            path = self.ledger.path(table)
            going = {row["run_id"] for row in delta.read_rows(path, ["run_id"]) if self._is_old(row["run_id"])}
            if going:
                # Named by those that stay, of which there are few.
                kept = f" AND NOT {delta.quoted_in('run_id', self.staying)}" if self.staying else ""
                done = DeltaTable(path).delete(
                    f"run_id < '{self.oldest}'{kept}", commit_properties=CommitProperties(custom_metadata=NO_CHANGE)
                )
                removed += int(done["num_deleted_rows"])
        return removed


def _last(rows: Iterable[Mapping[str, Any]], *by: str) -> set[str]:
    """The newest run of each group of rows."""
    newest: dict[tuple[Any, ...], str] = {}
    for row in rows:
        group = tuple(row[name] for name in by)
        newest[group] = max(newest.get(group, ""), row["run_id"])
    return set(newest.values())
