"""A stack that shows the demo turns to a person's own lakehouse with the first run that reads their files."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from bi.after_run import register
from bi.secrets import read_env, write_env
from lakehouse.cli.demo import MARKER
from lakehouse.settings import Settings

START = {"TRINO_URL": "https://localhost:1", "TRINO_CA": "", "TRINO_ETL_PASSWORD": "secret"}


@pytest.fixture
def stack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The credentials of a stack that shows the demo, and whose Trino does not answer."""
    for name in ("TRINO_URL", "TRINO_CA", "TRINO_LAKEHOUSE", "TRINO_ETL_PASSWORD", "LAKEHOUSE_BI_COMMAND", "LAKEHOUSE_COMMAND"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LAKEHOUSE_BI_DIR", str(tmp_path / "bi"))
    (tmp_path / "own-demo").mkdir()
    (tmp_path / "own-demo" / MARKER).touch()
    credentials = tmp_path / "bi" / "credentials.env"
    write_env(credentials, {**START, "TRINO_LAKEHOUSE": str(tmp_path / "own-demo")})
    return credentials


def told(root: Path, *files: str) -> Any:
    report: Any = SimpleNamespace(new_files=files)
    return register(Settings(dir=root), {}, report)


def test_the_first_own_files_make_the_stack_leave_the_demo(stack: Path, tmp_path: Path) -> None:
    said = told(tmp_path / "own", "history.json")
    assert read_env(stack)["TRINO_LAKEHOUSE"] == str(tmp_path / "own")
    assert stack.stat().st_mode & 0o077 == 0
    # Trino is down: what it is to show is known, and the next start of the stack brings it there.
    assert any("registers the tables" in warning for warning in said.warnings)
    assert said.lines == ["the dashboards still show the demo; `make bi LAKEHOUSE=own` shows yours"]


def test_a_run_without_new_files_leaves_the_demo_shown(stack: Path, tmp_path: Path) -> None:
    assert told(tmp_path / "own").lines == []
    assert read_env(stack)["TRINO_LAKEHOUSE"] == str(tmp_path / "own-demo")


def test_another_lakehouse_changes_nothing(stack: Path, tmp_path: Path) -> None:
    assert told(tmp_path / "other", "history.json").lines == []
    assert read_env(stack)["TRINO_LAKEHOUSE"] == str(tmp_path / "own-demo")


def test_a_lakehouse_that_the_environment_names_stays_shown(stack: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRINO_LAKEHOUSE", str(tmp_path / "own-demo"))
    monkeypatch.setenv("LAKEHOUSE_BI_COMMAND", "docker compose up -d")
    monkeypatch.setenv("LAKEHOUSE_COMMAND", "docker compose run --rm pipeline lakehouse")
    said = told(tmp_path / "own", "history.json")
    assert said.lines == ["the dashboards still show the demo; `docker compose up -d` shows yours"]
