"""What a run tells: while it goes, to an observer; at the end, as a report."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from lakehouse.build.builder import Outcome
from lakehouse.plan.staleness import Stale
from lakehouse.storage.landed_files import LandedFile


class Observer(Protocol):
    """Who is told how a run goes."""

    def reading(self, file: LandedFile, number: int, total: int) -> None: ...
    def planned(self, stale: Sequence[Stale]) -> None: ...
    def started(self, table: str) -> None: ...
    def finished(self, outcome: Outcome) -> None: ...


@dataclass
class Report:
    """All that a run did, for the summary and for --json."""

    run_id: str
    engine: str
    engine_reason: str
    started_at: dt.datetime
    seconds: float = 0.0
    exit_code: int = 0
    is_dry_run: bool = False
    planned: list[Stale] = field(default_factory=list)
    outcomes: list[Outcome] = field(default_factory=list)
    up_to_date: int = 0
    new_files: list[LandedFile] = field(default_factory=list)
    problems: list[LandedFile] = field(default_factory=list)
    newly_broken: list[LandedFile] = field(default_factory=list)
    killed: list[str] = field(default_factory=list)
    reconciliation: list[dict[str, Any]] = field(default_factory=list)
    is_empty: bool = False
    is_landing_missing: bool = False
    engine_started: bool = False
