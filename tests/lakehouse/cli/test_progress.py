"""What other processes see of a run: every event of every thread, nothing after its end, nothing of one that was killed."""

from __future__ import annotations

import os
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from lakehouse.cli.console import Quiet
from lakehouse.cli.progress import BUILDING, FILE, READING, STALE_SECONDS, Noted, read


def outcome(table: str, status: str = "built") -> Any:
    return SimpleNamespace(table=table, status=status)


def test_a_run_without_an_event_notes_nothing(tmp_path: Path) -> None:
    with Noted(tmp_path / "not there", Quiet()):
        pass
    assert read(tmp_path / "not there") is None


def test_events_of_many_threads_are_all_counted(tmp_path: Path) -> None:
    tables = [f"gold.t{number}" for number in range(60)]
    with Noted(tmp_path, Quiet()) as noted:
        noted.reading(SimpleNamespace(path="a.zip"), 2, 3)  # type: ignore[arg-type]
        seen = read(tmp_path)
        assert seen is not None
        assert (seen.phase, seen.done, seen.total, list(seen.active)) == (READING, 1, 3, ["a.zip"])
        noted.planned([None] * 60)  # type: ignore[list-item]

        def build(table: str) -> None:
            noted.started(table)
            noted.finished(outcome(table, "failed" if table.endswith("9") else "built"))

        with ThreadPoolExecutor(8) as pool:
            list(pool.map(build, tables))
        noted.started("gold.last")
        seen = read(tmp_path)
        assert seen is not None
        assert (seen.phase, seen.done, seen.total, seen.failed) == (BUILDING, 60, 60, 6)
        assert list(seen.active) == ["gold.last"]
        assert (tmp_path / FILE).stat().st_mode & 0o777 == 0o600
    assert list(tmp_path.iterdir()) == []


def test_the_note_of_a_run_that_was_killed_is_not_believed(tmp_path: Path) -> None:
    with Noted(tmp_path, Quiet()) as noted:
        noted.planned([])
        assert read(tmp_path) is not None
        long_ago = time.time() - STALE_SECONDS - 1
        os.utime(tmp_path / FILE, (long_ago, long_ago))
        assert read(tmp_path) is None


def test_a_note_that_cannot_be_written_does_not_end_the_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / FILE).mkdir()
    (tmp_path / FILE / "in the way").touch()
    heard: list[str] = []

    class Listening(Quiet):
        def started(self, table: str) -> None:
            heard.append(table)

    noted = Noted(tmp_path, Listening())
    noted.started("gold.a")
    noted.started("gold.b")
    assert heard == ["gold.a", "gold.b"]
    assert capsys.readouterr().err.count("warning") == 1
    noted._over.set()
