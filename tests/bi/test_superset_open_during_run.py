"""A pipeline run while a dashboard is open and refreshed: no error, no empty chart, and the new numbers afterwards."""

from __future__ import annotations

import json
import subprocess
import sys

from lakehouse.settings import PROJECT_ROOT
from tests.bi.conftest import Stack
from tests.bi.pages import Dashboards
from tests.end_to_end.pipeline import export_row

NEW_PLAYS = 5
SECONDS = 400


def test_a_dashboard_stays_whole_during_a_run_and_shows_its_numbers_afterwards(dashboards: Dashboards, stack: Stack) -> None:
    later = sorted(stack.landing.glob("history*.json"))
    rows = [export_row(f"2025-01-{len(later):02d}T10:{minute:02d}:00Z", minute) for minute in range(NEW_PLAYS)]
    (stack.landing / f"history-later-{len(later)}.json").write_text(json.dumps(rows), encoding="utf-8")
    assert not dashboards.open("overview").problems
    before = int(dashboards.number("How many plays?").replace(",", ""))
    command = [sys.executable, str(PROJECT_ROOT / "run_pipeline.py"), "run"]
    places = ["--landing", str(stack.landing), "--lakehouse", str(stack.lakehouse), "--engine", "embedded"]
    run = subprocess.Popen(
        [*command, *places],
        env=stack.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        cwd=stack.landing.parent,
    )
    problems: list[str] = []
    refreshed = 0
    while run.poll() is None:
        problems += dashboards.refresh("overview").problems
        refreshed += 1
    said, _ = run.communicate(timeout=SECONDS)
    assert run.returncode == 0, said
    assert not problems
    assert refreshed > 1
    assert not dashboards.refresh("overview").problems
    assert int(dashboards.number("How many plays?").replace(",", "")) == before + NEW_PLAYS
