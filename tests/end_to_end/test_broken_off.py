"""Runs that cannot write or are killed: one clear line, the old tables intact, and a rerun that heals."""

from __future__ import annotations

import resource
import signal
import subprocess
import time

import pytest

from tests.end_to_end.pipeline import Pipeline, assert_same_content, days, kaggle_csv

CATALOGUE = kaggle_csv(*[{"track_id": f"{n:022d}", "track_name": f"Track {n}"} for n in range(1, 40)])
# Killed when the run has printed so many lines (one per file read and table built): while it reads, builds, records.
LINES = (0, 2, 4, 8)
ONLY = tuple(
    option
    for name in ("gold.top_artists", "gold.year_in_music", "silver.sessions", "silver.artists", "ops.reconciliation")
    for option in ("--only", name)
)


@pytest.fixture(scope="module")
def wanted(tmp_path_factory: pytest.TempPathFactory) -> Pipeline:
    """What an uninterrupted run builds of both files."""
    pipeline = Pipeline(tmp_path_factory.mktemp("wanted"))
    pipeline.write("dataset.csv", CATALOGUE)
    pipeline.write("first.json", days(20))
    pipeline.write("second.json", days(9, month=2, track=2))
    pipeline.build(*ONLY)
    return pipeline


def killed_after(pipeline: Pipeline, lines: int, how: signal.Signals) -> subprocess.Popen[str]:
    """A run that gets the signal once it has printed so many lines."""
    process = pipeline.start("run", *ONLY, start_new_session=True)
    assert process.stdout is not None
    for _ in range(lines):
        process.stdout.readline()
    time.sleep(0.6 if not lines else 0.01 * lines)
    process.send_signal(how)
    return process


def test_a_file_in_the_place_of_the_lakehouse_is_one_clear_line_and_exit_2(pipeline: Pipeline) -> None:
    pipeline.write("first.json", days(2))
    pipeline.root.write_text("I was here first")
    answer = pipeline.call("run")
    assert answer.code == 2
    assert f"{pipeline.root} is a file" in answer.err
    assert len(answer.err.strip().splitlines()) == 1
    assert "Traceback" not in answer.err
    assert pipeline.root.read_text() == "I was here first"


def test_a_lakehouse_under_a_file_is_one_clear_line_and_exit_1(pipeline: Pipeline) -> None:
    pipeline.write("first.json", days(2))
    (pipeline.root.parent / "file").write_text("")
    pipeline.root = pipeline.root.parent / "file" / "lakehouse"
    answer = pipeline.call("run")
    assert (answer.code, len(answer.err.strip().splitlines())) == (1, 1)
    assert "file/lakehouse" in answer.err


def test_a_file_in_the_place_of_a_table_fails_that_table_and_a_rerun_heals(pipeline: Pipeline) -> None:
    pipeline.write("first.json", days(2))
    # Bronze first: a folder without any table is no lakehouse, and would be refused.
    pipeline.build("--only", "bronze")
    obstacle = pipeline.root / "silver" / "quarantine"
    obstacle.parent.mkdir(parents=True, exist_ok=True)
    obstacle.write_text("")
    only = ("--only", "silver.quarantine", "--only", "silver.users")
    answer = pipeline.run(*only)
    assert answer.code == 1
    failed = [o["table"] for o in answer.document["outcomes"] if o["status"] != "built"]
    assert failed == ["silver.quarantine"]
    assert pipeline.rows("silver.users", "kept") == [{"kept": 4}]
    obstacle.unlink()
    assert pipeline.build(*only).document["outcomes"][-1]["table"] == "silver.quarantine"


def test_a_landing_folder_that_is_a_file_is_told(pipeline: Pipeline) -> None:
    pipeline.landing.rmdir()
    pipeline.landing.write_text("")
    answer = pipeline.call("run")
    assert (answer.code, f"{pipeline.landing} is a file" in answer.err) == (2, True)
    assert "Traceback" not in answer.text


def no_room() -> None:
    """Every write beyond this size of a file fails, as on a full disk; small files still can be written."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (9_000, 9_000))


def test_a_full_disk_leaves_the_old_tables_and_a_rerun_heals(pipeline: Pipeline, wanted: Pipeline) -> None:
    pipeline.write("dataset.csv", CATALOGUE)
    pipeline.write("first.json", days(20))
    pipeline.build(*ONLY)
    before, versions = pipeline.content(), pipeline.versions()
    pipeline.write("second.json", days(9, month=2, track=2))
    assert pipeline.process("run", *ONLY, preexec_fn=no_room).code == 1
    after, newer = pipeline.content(), pipeline.versions()
    assert {name for name in versions if newer[name] == versions[name]}
    for name in versions:
        assert newer[name] != versions[name] or after[name] == before[name], name
    pipeline.build(*ONLY)
    assert_same_content(pipeline.content(), wanted.content())


def test_a_full_disk_is_told_in_clear_lines(pipeline: Pipeline) -> None:
    pipeline.write("dataset.csv", CATALOGUE)
    pipeline.write("first.json", days(20))
    answer = pipeline.process("run", *ONLY, preexec_fn=no_room)
    assert answer.code == 1
    assert "Traceback" not in answer.err


def test_no_room_at_all_is_told_in_a_line(pipeline: Pipeline) -> None:
    pipeline.write("first.json", days(20))
    answer = pipeline.process("run", preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (1, 1)))
    assert answer.code == 1
    assert "Traceback" not in answer.err, answer.err
    pipeline.build("--only", "silver.users")
    assert pipeline.rows("silver.users", "kept") == [{"kept": 40}]


def test_an_unreachable_cluster_is_told_and_the_old_tables_stay(pipeline: Pipeline) -> None:
    pipeline.write("first.json", days(2))
    only = ("--only", "bronze.listening_history")
    pipeline.build(*only)
    before, versions = pipeline.content(), pipeline.versions()
    pipeline.write("second.json", days(3, month=2))
    answer = pipeline.process("run", *only, "--engine", "sc://127.0.0.1:1", timeout=60)
    assert answer.code == 1
    assert "no Spark Connect server answers at sc://127.0.0.1:1" in answer.out + answer.err
    assert "Traceback" not in answer.err
    assert (pipeline.content(), pipeline.versions()) == (before, versions)
    pipeline.build(*only)
    assert len(pipeline.rows("bronze.listening_history")) == 10


@pytest.mark.parametrize("lines", LINES)
def test_a_killed_run_is_healed_by_the_next(pipeline: Pipeline, wanted: Pipeline, lines: int) -> None:
    pipeline.write("dataset.csv", CATALOGUE)
    pipeline.write("first.json", days(20))
    process = killed_after(pipeline, lines, signal.SIGKILL)
    process.communicate()
    assert process.returncode == -signal.SIGKILL
    pipeline.write("second.json", days(9, month=2, track=2))
    answer = pipeline.build(*ONLY)
    assert_same_content(pipeline.content(), wanted.content())
    assert not (pipeline.root / "_staging").exists()
    runs = {row["run_id"]: row["status"] for row in pipeline.rows("ops.pipeline_runs")}
    assert runs.pop(answer.document["run_id"]) == "succeeded"
    assert set(runs.values()) <= {"killed"}
    assert list(runs) == answer.document["killed"]
    assert pipeline.build(*ONLY).document["outcomes"] == []


@pytest.mark.parametrize("lines", [3, 6, 9])
def test_a_run_that_is_broken_off_while_it_builds_ends_soon_and_is_completed_by_the_next(
    pipeline: Pipeline, wanted: Pipeline, lines: int
) -> None:
    pipeline.write("dataset.csv", CATALOGUE)
    pipeline.write("first.json", days(20))
    pipeline.write("second.json", days(9, month=2, track=2))
    process = killed_after(pipeline, lines, signal.SIGINT)
    try:
        _, err = process.communicate(timeout=10)
    finally:
        process.kill()
    assert (process.returncode, "published tables stay" in err) == (1, True)
    pipeline.build(*ONLY)
    assert_same_content(pipeline.content(), wanted.content())
    assert pipeline.build(*ONLY).document["outcomes"] == []


def test_a_run_that_is_interrupted_from_the_keyboard_ends_soon_and_says_so(pipeline: Pipeline) -> None:
    pipeline.write("first.json", days(20))
    process = killed_after(pipeline, 3, signal.SIGINT)
    try:
        _, err = process.communicate(timeout=7)
    finally:
        process.kill()
    assert process.returncode == 1
    assert "stopped" in err


@pytest.mark.parametrize("lines", [1, 2, 4])
def test_an_interrupt_while_files_are_read_ends_the_run_at_once(pipeline: Pipeline, lines: int) -> None:
    """The engine starts meanwhile, and its server hears the interrupt too: asking it again for minutes would hang the run."""
    for number in range(6):
        pipeline.write(f"{number}.json", days(20) + [row | {"ms_played": row["ms_played"] + number} for row in days(20)] * 200)
    process = killed_after(pipeline, lines, signal.SIGINT)
    try:
        _, err = process.communicate(timeout=10)
    finally:
        process.kill()
    assert (process.returncode, "stopped" in err) == (1, True)
