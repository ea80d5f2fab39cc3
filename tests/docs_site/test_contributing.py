"""The recipes of CONTRIBUTING.md work as they stand: their code is put into a copy of the project and used."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parent.parent.parent
PAGE = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
CODE = dict(re.findall(r"^```python (\S+)\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL))
CHARTS = dict(re.findall(r"^```yaml (\S+)\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL))


def in_copy(copy: Path, *command: str) -> subprocess.CompletedProcess[str]:
    """A Python command in the copy, with nothing of this machine's settings."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("LAKEHOUSE_")}
    environment["PYTHONPATH"] = str(copy)
    call = [sys.executable, *command]
    return subprocess.run(call, cwd=copy, env=environment, capture_output=True, text=True, timeout=600, check=False)


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project with the recipes followed."""
    folder = tmp_path_factory.mktemp("copy") / "project"
    hidden = shutil.ignore_patterns(".*", "__pycache__", "*.egg-info")
    made = {str(ROOT): {"build", "data"}}
    shutil.copytree(ROOT, folder, ignore=lambda at, names: hidden(at, names) | made.get(at, set()))
    for name, text in CODE.items():
        assert not (folder / name).exists(), f"{name} is there already; the recipe needs another name"
        (folder / name).write_text(text, encoding="utf-8")
    for name, text in CHARTS.items():
        dashboard, added = (yaml.safe_load(part) for part in ((folder / name).read_text("utf-8"), text))
        dashboard["datasets"] |= added["datasets"]
        dashboard["rows"] += added["rows"]
        (folder / name).write_text(yaml.safe_dump(dashboard, sort_keys=False), encoding="utf-8")
    return folder


def test_the_page_has_a_table_a_source_a_model_and_a_chart() -> None:
    assert {name.split("/")[0] for name in CODE} == {"gold", "ingestion", "models", "tests"}
    assert len(CODE) == 6
    assert len(CHARTS) == 1


def test_the_tests_of_the_recipes_pass(copy: Path) -> None:
    tests = [name for name in CODE if name.startswith("tests/")]
    done = in_copy(copy, "-m", "pytest", "-q", "-p", "no:cacheprovider", *tests)
    assert done.returncode == 0, done.stdout


def test_the_code_of_the_recipes_is_formatted_and_clean(copy: Path) -> None:
    shutil.copyfile(ROOT / "pyproject.toml", copy / "pyproject.toml")
    for arguments in (["check"], ["format", "--check"]):
        done = in_copy(copy, "-m", "ruff", *arguments, *CODE)
        assert done.returncode == 0, done.stdout + done.stderr


def test_the_tests_that_were_there_hold_with_another_source(copy: Path) -> None:
    tests = ["tests/ingestion", "tests/lakehouse/landing"]
    done = in_copy(copy, "-m", "pytest", "-q", "-p", "no:cacheprovider", *tests)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_chart_names_what_there_is(copy: Path) -> None:
    done = in_copy(copy, "scripts/build_dashboards.py", "--check")
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_table_and_the_model_are_built_by_a_run(copy: Path) -> None:
    lakehouse, landing = copy / "data" / "lakehouse", copy / "data" / "landing"
    landing.mkdir(parents=True)
    only = [f"--only={name}" for name in ("gold.night_artists", "models.session_length")]
    places = [f"--lakehouse={lakehouse}", f"--landing={landing}"]
    done = in_copy(copy, "run_pipeline.py", "run", "--engine=embedded", *only, *places)
    assert done.returncode == 0, done.stdout + done.stderr
    demo = lakehouse.with_name("lakehouse-demo")
    shown = in_copy(copy, "run_pipeline.py", "show", "gold.night_artists", f"--lakehouse={demo}", "--limit=3")
    assert shown.returncode == 0, shown.stderr
    assert "3 of" in shown.stdout
    assert "session_length" in in_copy(copy, "run_pipeline.py", "models", f"--lakehouse={demo}").stdout
