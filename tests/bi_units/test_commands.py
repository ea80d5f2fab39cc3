"""What `scripts/bi.py` refuses before it installs or starts anything, and what it tells of a server that does not start."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from bi import install as setup_bi
from bi.process import Server, StackError
from lakehouse.cli.errors import FAILED, USAGE
from lakehouse.cli.main import main
from lakehouse.settings import PROJECT_ROOT
from run_pipeline import PRODUCT

CTRL_C_WHILE_LOADING = """
import sys

class Finder:
    def find_spec(self, name, *_):
        if name == "bi.console.output":
            raise KeyboardInterrupt

sys.meta_path.insert(0, Finder())
"""


@pytest.mark.parametrize("command", ["check", "up"])
def test_a_lakehouse_without_plays_is_refused_before_anything_starts(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    stack = tmp_path / "bi"
    monkeypatch.setenv("LAKEHOUSE_BI_DIR", str(stack))
    assert main(PRODUCT, ["bi", command, "--lakehouse", str(tmp_path / "nowhere")]) == USAGE
    assert "there is no lakehouse in" in capsys.readouterr().err
    (tmp_path / "empty").mkdir()
    assert main(PRODUCT, ["bi", command, "--lakehouse", str(tmp_path / "empty")]) == FAILED
    assert "empty holds no plays yet; `make run LAKEHOUSE=" in capsys.readouterr().err
    assert not stack.exists()
    assert not (tmp_path / "nowhere").exists()


def test_all_that_installing_needs_is_told_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(setup_bi, "PYTHONS", ())
    monkeypatch.setattr(setup_bi, "TRINO_HOME", tmp_path / "trino")
    monkeypatch.setattr(setup_bi, "SUPERSET_HOME", tmp_path / "superset")
    maven, python = setup_bi.problems()
    assert "apt install maven" in maven
    assert "SUPERSET_PYTHON" in python
    (tmp_path / "trino").mkdir()
    (tmp_path / "superset" / "bin").mkdir(parents=True)
    (tmp_path / "superset" / "bin" / "python").touch()
    assert setup_bi.problems() == []


def test_a_failed_start_is_told_without_the_lines_of_an_earlier_one(tmp_path: Path) -> None:
    server = Server("it", tmp_path, tmp_path / "it.log")
    for word in ("first", "second"):
        server.start(["sh", "-c", f"echo {word}"], {"PATH": "/usr/bin:/bin"})
        with pytest.raises(StackError, match=f"it ended while starting.\n{word}$"):
            server.wait(lambda: False, 10)
    assert (tmp_path / "it.log.1").read_text() == "first\n"


def test_ctrl_c_while_the_console_is_loaded_is_no_traceback(tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(CTRL_C_WHILE_LOADING)
    command = [sys.executable, str(PROJECT_ROOT / "scripts" / "sql.py"), "-c", "SELECT 1"]
    ended = subprocess.run(command, env={"PYTHONPATH": str(tmp_path)}, capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stderr) == (1, "stopped\n")
