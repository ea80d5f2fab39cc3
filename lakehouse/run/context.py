"""What every step of one run needs to know, and nothing of which changes while it runs."""

from __future__ import annotations

import datetime as dt
import os
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

from lakehouse.declare.table import Table
from lakehouse.run.report import Observer
from lakehouse.settings import Settings
from lakehouse.storage.lakehouse import Lakehouse
from lakehouse.storage.ledger import Ledger


@dataclass(frozen=True)
class RunContext:
    """One run. `early` names the categories that people look at first, and that are therefore built first."""

    run_id: str
    started_at: dt.datetime
    settings: Settings
    tables: Mapping[str, Table]
    observer: Observer
    early: Collection[str]

    @staticmethod
    def begin(settings: Settings, tables: Mapping[str, Table], observer: Observer, early: Collection[str]) -> RunContext:
        """A run that begins now; its id is sortable by time."""
        now = dt.datetime.now(dt.timezone.utc)
        return RunContext(f"{now:%Y%m%dT%H%M%S.%f}Z-{os.getpid()}", now, settings, tables, observer, early)

    @property
    def lakehouse(self) -> Lakehouse:
        """Where the run writes."""
        return Lakehouse(self.settings.dir)

    @property
    def ledger(self) -> Ledger:
        """Where the run notes what it did."""
        return Ledger(self.settings.dir)

    @property
    def staging(self) -> Path:
        """Where what was computed lies before it is published."""
        return self.lakehouse.staging(self.run_id)

    def seconds(self) -> float:
        """Seconds since the run began."""
        return (dt.datetime.now(dt.timezone.utc) - self.started_at).total_seconds()
