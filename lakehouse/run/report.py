"""What a run tells: while it goes, to an observer; at the end, as a report."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from lakehouse.build.task import NOT_DONE, Outcome
from lakehouse.declare.table import Table
from lakehouse.plan.staleness import Stale
from lakehouse.settings import Settings
from lakehouse.storage.held import HeldKey
from lakehouse.storage.landed_files import LandedFile


class Observer(Protocol):
    """Who is told how a run goes."""

    def reading(self, file: LandedFile, number: int, total: int) -> None: ...
    def planned(self, stale: Sequence[Stale]) -> None: ...
    def started(self, table: str) -> None: ...
    def finished(self, outcome: Outcome) -> None: ...


@dataclass(frozen=True)
class Rejected:
    """A landing file of which many rows, or some that matter, count nowhere; or of which something else is to be known."""

    path: str
    rows: int
    rejected: int
    because: str
    """for which reasons, with examples and what to do"""
    is_failure: bool
    """an error, not a warning"""


class Audit(Protocol):
    """Finds landing files whose rows were read and count nowhere."""

    def __call__(
        self,
        lakehouse: Path,
        files: Iterable[LandedFile],
        new_hashes: Collection[str],
        reconciliation: Sequence[Mapping[str, Any]] | None,
    ) -> Sequence[Rejected]:
        """`new_hashes` are the files first read in this run; `reconciliation` is None where tables were built in it."""


class Additions(Protocol):
    """Says what the product's own ops tables are to hold, of which the kernel knows only how to write them."""

    def __call__(
        self, settings: Settings, files: Sequence[LandedFile], now: dt.datetime
    ) -> Iterable[tuple[Table, Sequence[Mapping[str, Any]] | None]]:
        """Each table with all its rows; None for one that is only to be there. `files` are the landing files as they are.

        Called by every run, so it has to be quick where nothing changed.
        """


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
    ignored: Sequence[LandedFile] = ()
    """files that hold nothing of interest, such as playlists beside a history"""
    passed_over: int = 0
    """files in folders of listeners who are forgotten, which were not looked at"""
    rejected: Sequence[Rejected] = ()
    killed: Sequence[str] = ()
    reconciliation: Sequence[dict[str, Any]] = ()
    held: Sequence[HeldKey] = ()
    """listeners who are held back, by table and rule"""
    is_empty: bool = False
    is_landing_missing: bool = False
    engine_started: bool = False
    exit_code: int = field(init=False)
    """1 where a table was not built, a listener is held back, a file is newly broken or no row of a new one counts; else 0"""

    def __post_init__(self) -> None:
        is_failed = any(outcome.status in NOT_DONE for outcome in self.outcomes) or bool(self.newly_broken or self.held)
        is_failed = is_failed or any(one.is_failure for one in self.rejected)
        object.__setattr__(self, "exit_code", int(is_failed))
