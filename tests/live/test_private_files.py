"""Other users of the machine read nothing: modes of what commands write, where the umask would let everybody read."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from lakehouse.engine.java import java_problem
from lakehouse.settings import PROJECT_ROOT
from tests.end_to_end.pipeline import days

OPEN = 0o022


def called(folder: Path, program: str, *arguments: str, umask: int = OPEN) -> subprocess.CompletedProcess[str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("LAKEHOUSE_")}
    command = [sys.executable, str(PROJECT_ROOT / program), *arguments]
    environment = kept | {"PYTHONPATH": str(PROJECT_ROOT), "LAKEHOUSE_STATE_DIR": str(folder / "state")}
    return subprocess.run(command, cwd=folder, env=environment, umask=umask, capture_output=True, text=True, check=True)


def modes(*roots: Path) -> dict[str, str]:
    """Of everything below the folders, what others or the group may do with it."""
    below = [path for root in roots for path in (root.rglob("*") if root.is_dir() else [root])]
    assert below
    return {str(path): oct(mode) for path in below if (mode := stat.S_IMODE(path.lstat().st_mode)) & 0o077}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a landing folder and an open one for the lakehouse, which the product did not make."""
    (tmp_path / "landing").mkdir()
    (tmp_path / "landing" / "Streaming_History_Audio_2024_0.json").write_text(json.dumps(days(20)))
    (tmp_path / "lakehouse").mkdir(mode=0o755)
    (tmp_path / "lakehouse").chmod(0o755)
    return tmp_path


@pytest.mark.parametrize("engine", ["embedded", pytest.param("spark", marks=pytest.mark.spark)])
def test_a_run_writes_nothing_that_others_read(folder: Path, engine: str) -> None:
    if engine == "spark" and (problem := java_problem()):
        pytest.skip(problem)
    only = ["--only", "gold.daily_listening"] if engine == "embedded" else ["--only", "silver.users"]
    called(folder, "run_pipeline.py", "run", "--engine", engine, "--landing", "landing", "--lakehouse", "lakehouse", *only)
    assert modes(folder / "lakehouse") == {}
    assert len(list((folder / "lakehouse").rglob("*.parquet"))) > 10
    # Made by somebody else, who may want it open.
    assert stat.S_IMODE((folder / "lakehouse").stat().st_mode) == 0o755
    assert modes(folder / ".lakehouse-last") == {}


def test_exports_and_upkeep_write_nothing_that_others_read(folder: Path) -> None:
    only = ["--only", "gold.descriptive"]
    called(folder, "run_pipeline.py", "run", "--engine", "embedded", "--landing", "landing", "--lakehouse", "lakehouse", *only)
    for kind in ("parquet", "csv", "duckdb"):
        called(
            folder, "run_pipeline.py", "export", "--format", kind, "--out", f"exports/{kind}", "--table", "gold.daily_listening"
        )
    called(folder, "run_pipeline.py", "maintain")
    assert modes(folder / "exports") == {}


def test_a_report_is_written_for_its_owner_only(folder: Path) -> None:
    code = (
        "from pathlib import Path; from lakehouse.private_files import keep_private; from report.command import _write; "
        "keep_private(); _write(Path('pages/report.html'), 'page')"
    )
    environment = os.environ | {"PYTHONPATH": str(PROJECT_ROOT)}
    subprocess.run([sys.executable, "-c", code], umask=OPEN, check=True, cwd=folder, env=environment)
    assert modes(folder / "pages", folder / "pages" / "report.html") == {}
    assert (folder / "pages" / "report.html").read_text() == "page"


def test_a_stage_script_keeps_files_private(folder: Path) -> None:
    called(folder, "scripts/ingest.py", "--landing", "landing", "--lakehouse", "lakehouse", "--engine", "embedded")
    assert modes(folder / "lakehouse") == {}


def test_a_stricter_umask_is_kept(folder: Path) -> None:
    called(folder, "run_pipeline.py", "run", "--no-demo", "--landing", "landing", "--dry-run", umask=0o177)
    code = "import os; from lakehouse.private_files import keep_private; keep_private(); print(oct(os.umask(0)))"
    done = subprocess.run([sys.executable, "-c", code], umask=0o277, capture_output=True, text=True, check=True, cwd=PROJECT_ROOT)
    assert done.stdout == "0o277\n"
