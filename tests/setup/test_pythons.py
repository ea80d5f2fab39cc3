"""Finding a Python that set-up can use: one that runs and can make environments, not a name on the PATH."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from bi import install, pythons
from lakehouse.settings import PROJECT_ROOT

SHIM = "#!/bin/sh\necho 'pyenv: command not found' >&2\nexit 127\n"


def program(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)
    return path


def fake_python(path: Path, version: str) -> Path:
    """A program that answers the probe as a Python of that version would."""
    return program(path, f"#!/bin/sh\nprintf '{version}'\n")


@pytest.fixture
def empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine with no Python but this one, which is of no use."""
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setattr(pythons, "FOLDERS", (f"{tmp_path}/versions/{{}}.*/bin",))
    monkeypatch.setattr(sys, "version_info", (3, 9, 0))
    return tmp_path


def test_this_python_is_taken_if_it_can_be_used() -> None:
    here = sys.version_info[:2]
    assert pythons.find((here,)) == sys.executable


def test_a_shim_that_does_not_run_is_passed_over(empty: Path) -> None:
    program(empty / "bin" / "python3.11", SHIM)
    fake_python(empty / "bin" / "python3.12", "3.11")
    assert pythons.find(((3, 11), (3, 12))) is None
    good = fake_python(empty / "versions" / "3.12.4" / "bin" / "python3.12", "3.12")
    assert pythons.find(((3, 11), (3, 12))) == str(good)


def test_the_first_version_named_is_the_best(empty: Path) -> None:
    for version in ("3.10", "3.11", "3.12"):
        fake_python(empty / "bin" / f"python{version}", version)
    assert pythons.find(((3, 11), (3, 12), (3, 10))) == str(empty / "bin" / "python3.11")


def test_superset_s_python_can_be_named(empty: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake_python(empty / "bin" / "python3.11", "3.11")
    own = fake_python(empty / "own", "3.12")
    monkeypatch.setenv("SUPERSET_PYTHON", str(own))
    assert install.superset_python() == str(own)
    monkeypatch.setenv("SUPERSET_PYTHON", str(fake_python(empty / "new", "3.14")))
    assert install.superset_python() is None
    monkeypatch.setattr(install, "SUPERSET_HOME", empty / "none")
    assert "SUPERSET_PYTHON=/path/to/python3.12" in install.problems()[-1]


def test_an_old_python_is_told_which_one_is_needed(tmp_path: Path) -> None:
    """`python3` is 3.9 and there is no other: exit 2, and nothing made."""
    code = (
        "import runpy, sys; sys.version_info = (3, 9, 18)\n"
        "sys.path.insert(0, sys.argv[1]); import bi.pythons; bi.pythons.FOLDERS = ()\n"
        "sys.argv = ['setup.py']; runpy.run_path('scripts/setup.py', run_name='__main__')"
    )
    project = tmp_path / "project"
    for name in ("scripts/setup.py", "bi/__init__.py", "bi/pythons.py", "bi/install.py"):
        (project / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(PROJECT_ROOT / name, project / name)
    command = [sys.executable, "-c", code, str(project)]
    environment = {**os.environ, "PATH": str(tmp_path)}
    done = subprocess.run(command, cwd=project, env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert "this is Python 3.9; the lakehouse needs 3.11, 3.12, 3.13 or 3.14" in done.stderr
    assert not (project / ".venv").exists()


def test_set_up_has_nothing_left_to_do_where_it_was_done() -> None:
    before = {path.name: path.stat().st_mtime_ns for path in (PROJECT_ROOT / ".venv").glob("*.sha256")}
    assert set(before) == {"lock.sha256", "project.sha256"}
    done = subprocess.run(["make", "setup"], cwd=PROJECT_ROOT, capture_output=True, text=True, check=True)  # noqa: S607
    assert "installing" not in done.stdout
    assert {path.name: path.stat().st_mtime_ns for path in (PROJECT_ROOT / ".venv").glob("*.sha256")} == before
