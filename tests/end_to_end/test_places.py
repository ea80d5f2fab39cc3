"""Which lakehouse and landing folder a command is about: option, environment, `.env` files, last run, default."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from lakehouse.settings import PROJECT_ROOT
from tests.end_to_end.pipeline import Answer, Pipeline, days

ONLY = ("--only", "silver.plays")


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Pipeline:
    """A lakehouse of twelve plays, built in its home folder."""
    pipeline = Pipeline(tmp_path_factory.mktemp("places"))
    pipeline.write("history.json", days(6))
    pipeline.build(*ONLY)
    return pipeline


def say(folder: Path, *words: str, environment: Mapping[str, str] | None = None) -> Answer:
    """The command `lakehouse`, in a process of its own and in that folder."""
    clean = {key: value for key, value in os.environ.items() if not key.startswith("LAKEHOUSE_")}
    command = [str(Path(sys.executable).with_name("lakehouse")), *words]
    done = subprocess.run(command, cwd=folder, env=clean | (environment or {}), capture_output=True, text=True, check=False)
    return Answer(done.returncode, done.stdout, done.stderr)


def plays(answer: Answer) -> int:
    """Rows of silver.plays, as `tables --json` gives them."""
    assert answer.code == 0, answer.err
    return int(next(row["rows"] for row in answer.document if row["table"] == "silver.plays") or 0)


def other_lakehouse(built: Pipeline, folder: Path) -> Path:
    """A copy without plays."""
    root = folder / "other"
    shutil.copytree(built.root, root)
    shutil.rmtree(root / "silver" / "plays")
    return root


def test_reading_commands_find_the_lakehouse_of_the_last_run_in_this_folder(built: Pipeline, tmp_path: Path) -> None:
    note = json.loads((built.home / ".lakehouse-last").read_text(encoding="utf-8"))
    assert note == {"lakehouse": str(built.root), "landing": str(built.landing)}
    assert plays(say(built.home, "tables", "--json")) == 12
    assert len(say(built.home, "show", "plays", "--json").document) == 12
    assert say(built.home, "check", "--only", "silver.plays").code == 0
    # Another folder has had no run.
    assert "12" not in say(tmp_path, "show", "plays").out


def test_status_judges_against_the_landing_folder_that_the_lakehouse_was_built_from(built: Pipeline, tmp_path: Path) -> None:
    for folder, words in ((built.home, []), (tmp_path, ["--lakehouse", str(built.root)])):
        stale = {row["table"] for row in say(folder, "status", "--json", "--engine", "embedded", *words).document["stale"]}
        assert "silver.sessions" in stale
        assert not {"bronze.listening_history", "silver.plays", "ops.reconciliation"} & stale
    empty = tmp_path / "landing"
    empty.mkdir()
    words = ["--lakehouse", str(built.root), "--landing", str(empty)]
    stale = {row["table"] for row in say(tmp_path, "status", "--json", *words).document["stale"]}
    assert "ops.reconciliation" in stale


def test_option_beats_environment_beats_env_files_beat_the_last_run(built: Pipeline, tmp_path: Path) -> None:
    other = other_lakehouse(built, tmp_path)
    (tmp_path / ".lakehouse-last").write_text(json.dumps({"lakehouse": str(other), "landing": str(built.landing)}))
    assert plays(say(tmp_path, "tables", "--json")) == 0
    (tmp_path / ".env").write_text(f"LAKEHOUSE_DIR={built.root}\n")
    assert plays(say(tmp_path, "tables", "--json")) == 12
    assert plays(say(tmp_path, "tables", "--json", environment={"LAKEHOUSE_DIR": str(other)})) == 0
    chosen = ["--lakehouse", str(built.root)]
    assert plays(say(tmp_path, "tables", "--json", *chosen, environment={"LAKEHOUSE_DIR": str(other)})) == 12


def test_a_run_never_takes_its_target_from_the_last_run(built: Pipeline, tmp_path: Path) -> None:
    shutil.copy(built.home / ".lakehouse-last", tmp_path)
    document = say(tmp_path, "run", "--dry-run", "--json").document
    assert not document["lakehouse"].startswith(str(built.root))


def test_a_last_run_whose_lakehouse_is_gone_is_none(built: Pipeline, tmp_path: Path) -> None:
    note = {"lakehouse": str(tmp_path / "gone"), "landing": str(built.landing)}
    (tmp_path / ".lakehouse-last").write_text(json.dumps(note))
    assert say(tmp_path, "tables", "--json").code == 0


@pytest.mark.parametrize("content", ["", "[]", "{}", '"x"', "\x00"])
def test_a_last_run_that_cannot_be_read_is_said_in_one_line(tmp_path: Path, content: str) -> None:
    (tmp_path / ".lakehouse-last").write_text(content)
    answer = say(tmp_path, "tables")
    assert (answer.code, answer.out) == (2, "")
    assert answer.err == f"error: {tmp_path / '.lakehouse-last'} cannot be read; remove it\n"


@pytest.mark.parametrize("is_by_environment", [True, False])
def test_a_named_landing_folder_that_is_not_there_is_wrong_usage_and_no_demo(tmp_path: Path, is_by_environment: bool) -> None:
    nowhere, root = tmp_path / "nowhere", tmp_path / "lakehouse"
    words = [] if is_by_environment else ["--landing", str(nowhere)]
    environment = {"LAKEHOUSE_LANDING": str(nowhere)} if is_by_environment else {}
    answer = say(tmp_path, "run", "--lakehouse", str(root), *words, environment=environment)
    assert (answer.code, answer.out) == (2, "")
    assert answer.err == f"error: the landing folder {nowhere} does not exist\n"
    assert list(tmp_path.iterdir()) == []


def test_make_run_names_only_what_is_set(tmp_path: Path) -> None:
    for arguments, wanted in (([], "run  "), (["LANDING=x y", "LAKEHOUSE=z"], 'run --landing "x y" --lakehouse "z" ')):
        command = ["make", "--dry-run", "--no-print-directory", *arguments, "run"]
        done = subprocess.run(command, cwd=PROJECT_ROOT, capture_output=True, text=True, check=True)
        assert done.stdout.splitlines()[-1].startswith(f".venv/bin/lakehouse {wanted}")


@pytest.mark.parametrize("command", [["status"], ["tables"], ["show", "plays"], ["check"], ["models"], ["report"]])
def test_a_named_lakehouse_that_is_not_there_is_wrong_usage_where_it_is_read(command: list[str], tmp_path: Path) -> None:
    answer = say(tmp_path, *command, "--lakehouse", str(tmp_path / "nowhere"))
    assert (answer.code, answer.out) == (2, "")
    assert answer.err == f"error: there is no lakehouse in {tmp_path / 'nowhere'}\n"
    assert list(tmp_path.iterdir()) == []


def test_a_run_creates_the_lakehouse_that_it_is_given(built: Pipeline, tmp_path: Path) -> None:
    root = tmp_path / "new" / "lakehouse"
    words = ["--landing", str(built.landing), "--lakehouse", str(root), "--only", "bronze", "--engine", "embedded"]
    assert say(tmp_path, "run", *words).code == 0
    assert (root / "bronze" / "listening_history" / "_delta_log").is_dir()


@pytest.mark.parametrize("names", [["notes.txt"], ["models/my_model.pkl", "gold/ring.txt"], ["landing/history.json"]])
def test_a_run_refuses_a_folder_of_other_files(built: Pipeline, tmp_path: Path, names: list[str]) -> None:
    root = tmp_path / "mine"
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text("mine")
    answer = say(tmp_path, "run", "--landing", str(built.landing), "--lakehouse", str(root))
    assert (answer.code, answer.out) == (2, "")
    assert answer.err == f"error: {root} contains other files and no lakehouse; choose another --lakehouse\n"
    assert sorted(path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file()) == sorted(names)


def test_a_run_takes_an_empty_folder_and_one_that_a_run_was_cut_short_in(built: Pipeline, tmp_path: Path) -> None:
    empty, cut = tmp_path / "empty", tmp_path / "cut"
    empty.mkdir()
    (empty / ".DS_Store").touch()
    (cut / "_staging" / "x").mkdir(parents=True)
    (cut / "_lock").touch()
    for root in (empty, cut):
        words = ["--landing", str(built.landing), "--lakehouse", str(root), "--only", "bronze", "--dry-run"]
        assert say(tmp_path, "run", *words).code == 0


def test_a_folder_that_cannot_be_written_to_is_no_failure_of_a_run(built: Pipeline, tmp_path: Path) -> None:
    (tmp_path / ".lakehouse-last").mkdir()
    words = ["--landing", str(built.landing), "--lakehouse", str(built.root), *ONLY, "--engine", "embedded"]
    answer = say(tmp_path, "run", *words)
    assert answer.code == 0
    assert "other commands need --lakehouse" in answer.err
