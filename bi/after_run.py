"""The hook after a run: tables that are new, moved or gone are registered in Trino, where one is set up for the lakehouse."""

from __future__ import annotations

import dataclasses
import shlex
from collections.abc import Mapping

from bi.trino.registration import Outcome, is_shown, register_after_run
from lakehouse.cli import demo
from lakehouse.cli.console import near
from lakehouse.cli.product import Announcement
from lakehouse.declare import Table
from lakehouse.run.report import Report
from lakehouse.settings import Settings


def register(settings: Settings, tables: Mapping[str, Table], report: Report) -> Announcement:
    """Register the run's tables; a Trino that is down is a warning. Says so where the dashboards still show the demo."""
    outcome = register_after_run(settings.dir, tables.values())
    lines = [] if outcome is None else _changes(outcome)
    place = demo.place_of(settings.dir)
    if report.new_files and place != settings.dir and demo.is_demo(place) and is_shown(place):
        lines.append(f"the dashboards still show the demo; `make bi LAKEHOUSE={shlex.quote(near(settings.dir))}` shows yours")
    return Announcement(outcome and dataclasses.asdict(outcome), lines, [] if outcome is None else _warnings(outcome))


def _changes(outcome: Outcome) -> list[str]:
    drift = outcome.drift
    counts = {"new": len(drift.new), "moved": len(drift.moved), "gone": len(drift.vanished)}
    changed = ", ".join(f"{number} {word}" for word, number in counts.items() if number)
    return [f"Trino: tables {changed}"] if changed else []


def _warnings(outcome: Outcome) -> list[str]:
    problem = [] if outcome.problem is None else [outcome.problem]
    return problem + [f"{name} is not in Trino: {why}" for name, why in outcome.drift.refused.items()]
