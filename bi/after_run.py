"""The hook after a run: tables that are new, moved or gone are registered in Trino, where one is set up for the lakehouse.

A stack that shows the demo of this lakehouse is made to show the lakehouse itself, as soon as a person's own files are in it.
"""

from __future__ import annotations

import dataclasses
import shlex
from collections.abc import Mapping
from pathlib import Path

from bi.settings import start_command
from bi.trino.registration import Outcome, is_shown, register_after_run
from lakehouse.cli import demo
from lakehouse.cli.here import is_elsewhere, near
from lakehouse.cli.product import Announcement
from lakehouse.declare import Table
from lakehouse.run.report import Report
from lakehouse.settings import Settings


def register(settings: Settings, tables: Mapping[str, Table], report: Report) -> Announcement:
    """Register the run's tables; a server that is down is a warning. Says what the dashboards show where that was the demo."""
    is_demo_shown = bool(report.new_files) and _shows_demo(settings.dir)
    is_left = is_demo_shown and _leave_demo(settings.dir)
    outcome = register_after_run(settings.dir, tables.values())
    lines = [] if outcome is None else _changes(outcome)
    warnings = [] if outcome is None else _warnings(outcome)
    if is_left and outcome is not None and outcome.problem is None:
        lines.append("the dashboards show your own plays from now on, no longer the demo")
        warnings += _import_dashboards(tables)
    elif is_demo_shown:
        here = "" if is_elsewhere() else f" LAKEHOUSE={shlex.quote(near(settings.dir))}"
        lines.append(f"the dashboards still show the demo; `{start_command()}{here}` shows yours")
    return Announcement(outcome and dataclasses.asdict(outcome), lines, warnings)


def _shows_demo(root: Path) -> bool:
    """Whether the stack, running or not, shows the demo beside this lakehouse."""
    place = demo.place_of(root)
    return place != root and demo.is_demo(place) and is_shown(place)


def _leave_demo(root: Path) -> bool:
    """Make the stack show this lakehouse; whether it is one that was set up here, and whose credentials name the demo."""
    from bi import secrets
    from bi.settings import BISettings

    settings = BISettings()
    known = secrets.read_env(settings.credentials)
    if "TRINO_ETL_PASSWORD" not in known:
        return False
    secrets.write_env(settings.credentials, {**known, "TRINO_LAKEHOUSE": str(root)})
    # The environment or a .env may name another.
    return is_shown(root)


def _import_dashboards(tables: Mapping[str, Table]) -> list[str]:
    """Import the dashboards, which show the listener with the most plays first; what kept it from that."""
    from bi import secrets
    from bi.dashboards.declaration import DashboardError
    from bi.settings import BISettings
    from bi.superset.steps import import_dashboards
    from bi.trino.client import TrinoError

    settings = BISettings()
    try:
        import_dashboards(settings, tables, secrets.credentials(settings))
    except (DashboardError, TrinoError) as error:
        return [f"the dashboards still begin with a listener of the demo: {error}"]
    return []


def _changes(outcome: Outcome) -> list[str]:
    drift = outcome.drift
    counts = {"new": len(drift.new), "moved": len(drift.moved), "gone": len(drift.vanished)}
    changed = ", ".join(f"{number} {word}" for word, number in counts.items() if number)
    return [f"Trino: tables {changed}"] if changed else []


def _warnings(outcome: Outcome) -> list[str]:
    problem = [] if outcome.problem is None else [outcome.problem]
    return problem + [f"{name} is not in Trino: {why}" for name, why in outcome.drift.refused.items()]
