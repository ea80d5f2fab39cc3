"""What a run tells: while it goes, to an observer; at the end, as a report."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from lakehouse.build.task import NOT_DONE, Outcome
from lakehouse.plan.staleness import Stale
from lakehouse.storage.held import HeldKey
from lakehouse.storage.landed_files import LandedFile


class Observer(Protocol):
    """Who is told how a run goes."""

    def reading(self, file: LandedFile, number: int, total: int) -> None: ...
    def planned(self, stale: Sequence[Stale]) -> None: ...
    def started(self, table: str) -> None: ...
    def finished(self, outcome: Outcome) -> None: ...


@dataclass(frozen=True)
class Report:
    """All that a run did, for the summary and for --json."""

    run_id: str
    engine: str
    engine_reason: str
    started_at: dt.datetime
    seconds: float = 0.0
    is_dry_run: bool = False
    planned: Sequence[Stale] = ()
    outcomes: Sequence[Outcome] = ()
    described_anew: Sequence[str] = ()
    """tables of which only comments changed"""
    up_to_date: int = 0
    new_files: Sequence[LandedFile] = ()
    problems: Sequence[LandedFile] = ()
    newly_broken: Sequence[LandedFile] = ()
    killed: Sequence[str] = ()
    reconciliation: Sequence[dict[str, Any]] = ()
    held: Sequence[HeldKey] = ()
    """listeners who are held back, by table and rule"""
    is_empty: bool = False
    is_landing_missing: bool = False
    engine_started: bool = False
    exit_code: int = field(init=False)
    """1 where a table was not built, a listener is held back or a file is newly broken, else 0"""

    def __post_init__(self) -> None:
        is_failed = any(outcome.status in NOT_DONE for outcome in self.outcomes)
        object.__setattr__(self, "exit_code", int(is_failed or bool(self.newly_broken) or bool(self.held)))
