"""The commands, their exit codes, and --json: one document on stdout and nothing else."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest
from filelock import FileLock

from tests.end_to_end.pipeline import Pipeline, days


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Pipeline:
    pipeline = Pipeline(tmp_path_factory.mktemp("built"))
    pipeline.write("history.json", days(6))
    pipeline.build("--only", "gold.top_artists")
    return pipeline


def everything(folder: Path) -> dict[str, int]:
    return {str(path.relative_to(folder)): path.stat().st_mtime_ns for path in folder.rglob("*")}


def test_the_script_builds_all_and_ends_with_zero(pipeline: Pipeline) -> None:
    pipeline.write("history.json", days(6))
    answer = pipeline.process("run", "--json")
    assert answer.code == 0
    assert {o["status"] for o in answer.document["outcomes"] if "needs Spark" not in (o["error"] or "")} == {"built"}
    assert len(pipeline.rows("silver.listening_with_features")) == 12
    again = pipeline.process("run", "--json")
    assert (again.code, again.document["outcomes"], again.document["engine_started"]) == (0, [], False)


def test_a_rerun_with_nothing_new_loads_no_spark_engine(built: Pipeline) -> None:
    code = (
        "import sys; from lakehouse.cli.main import main; from run_pipeline import PRODUCT; code = main(PRODUCT, sys.argv[1:]); "
        "assert 'pysail.spark' not in sys.modules; sys.exit(code)"
    )
    import subprocess

    command = [sys.executable, "-c", code, *built.arguments("run", ["--only", "gold.top_artists"])]
    from lakehouse.settings import PROJECT_ROOT

    done = subprocess.run(
        command, capture_output=True, text=True, check=False, cwd=built.home, env={"PYTHONPATH": str(PROJECT_ROOT)}
    )
    assert done.returncode == 0, done.stderr
    assert "no engine started" in done.stdout


def test_only_brings_what_the_table_needs_and_nothing_else(built: Pipeline) -> None:
    tables = set(built.versions())
    assert {"gold.top_artists", "silver.listening_with_features", "silver.tracks", "silver.plays"} <= tables
    assert {name for name in tables if name.startswith("gold.")} == {"gold.top_artists"}
    assert "silver.sessions" not in tables


def test_a_dry_run_says_what_it_would_do_and_writes_nothing(pipeline: Pipeline) -> None:
    pipeline.write("history.json", days(2))
    answer = pipeline.run("--dry-run", "--only", "silver.quarantine")
    assert answer.code == 0
    planned = {stale["table"] for stale in answer.document["planned"]}
    assert {"bronze.listening_history", "silver.quarantine"} <= planned
    assert [file["path"] for file in answer.document["new_files"]] == ["history.json"]
    assert not pipeline.root.exists()
    told = pipeline.call("run", "--dry-run", "--only", "silver.quarantine")
    assert "would read  history.json as spotify_extended" in told.out
    assert "would build silver.quarantine: new" in told.out
    assert not pipeline.root.exists()


def test_looking_at_a_lakehouse_changes_no_file_of_it(built: Pipeline) -> None:
    before = everything(built.root)
    for arguments in (["status"], ["tables"], ["show", "gold.top_artists"], ["run", "--dry-run"], ["check", "--only", "gold"]):
        assert built.call(*arguments).code == 0, arguments
    assert everything(built.root) == before


def test_status_tells_the_runs_and_what_is_stale(built: Pipeline) -> None:
    document = built.call("status", "--json").document
    assert document["runs"][-1]["status"] == "succeeded"
    assert document["runs"][-1]["new_rows"] == 12
    stale = {entry["table"] for entry in document["stale"]}
    assert "gold.year_in_music" in stale
    assert "gold.top_artists" not in stale
    assert "stale: gold.year_in_music: new" in built.call("status").out


def test_tables_lists_every_table_with_grain_and_rows(built: Pipeline) -> None:
    found = {row["table"]: row for row in built.call("tables", "--json").document}
    assert (found["bronze.listening_history"]["rows"], found["bronze.listening_history"]["version"]) == (12, 0)
    assert (found["gold.year_in_music"]["rows"], found["gold.year_in_music"]["version"]) == (None, None)
    assert found["gold.top_artists"]["key"] == ["user_id", "period_type", "period_start", "rank"]
    assert found["ops.pipeline_runs"]["rows"] >= 1
    assert "gold.top_artists" in built.call("tables").out


def test_show_takes_short_names_a_limit_and_a_listener(built: Pipeline) -> None:
    assert len(built.call("show", "plays", "--limit", "5", "--json").document) == 5
    assert built.call("show", "plays", "--user", "nobody", "--json").document == []
    assert len(built.call("show", "plays", "--user", "me", "--json").document) == 12
    assert "play_id" in built.call("show", "plays").out


def test_show_of_an_unknown_table_is_wrong_usage_and_of_an_unbuilt_one_a_failure(built: Pipeline) -> None:
    unknown = built.call("show", "gold.nothing")
    assert (unknown.code, unknown.out) == (2, "")
    assert "there is no table 'gold.nothing'" in unknown.err
    unbuilt = built.call("show", "gold.year_in_music")
    assert unbuilt.code == 1
    assert "has not been built in" in unbuilt.text


def test_show_as_json_of_an_unbuilt_table_writes_no_text_to_stdout(built: Pipeline) -> None:
    assert built.call("show", "gold.year_in_music", "--json").out.strip() in ("", "[]", "null")


def test_check_evaluates_rules_and_fails_for_a_table_that_breaks_one(built: Pipeline, tmp_path: Path) -> None:
    good = built.call("check", "--only", "gold.top_artists", "--json")
    assert good.code == 0
    assert {(row["table"], row["status"]) for row in good.document} == {("gold.top_artists", "PASS")}
    other = Pipeline(tmp_path)
    shutil.copytree(built.root, other.root)
    from deltalake import DeltaTable

    DeltaTable(other.root / "silver" / "plays").update(updates={"disposition": "'lost'"}, predicate="row_number = 1")
    bad = other.call("check", "--only", "silver.plays")
    assert bad.code == 1
    assert "FAIL silver.plays: is_in(disposition): 1 of 12 disposition='lost'" in bad.out


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--only", "gold.top_artist"], "did you mean gold.top_artists"),
        (["--only", "zzz"], "`lakehouse tables` lists them"),
        (["--engine", "duckdb"], "'duckdb' is not auto, embedded, spark or sc://host:port"),
        (["--timezone", "Europe/Berlon"], "'Europe/Berlon' is not a time zone"),
        (["--timezone", "../../etc/passwd"], "is not a time zone"),
        (["--user", "../etc"], "cannot be a listener's name"),
        (["--user", "_synthetic"], "cannot be a listener's name"),
        (["--user", ""], "cannot be a listener's name"),
        (["--landing", "s3a://bucket/landing"], "only local folders"),
        (["--frobnicate"], "unrecognized arguments: --frobnicate"),
    ],
)
def test_wrong_usage_is_one_clear_line_exit_2_and_no_lakehouse(pipeline: Pipeline, options: list[str], message: str) -> None:
    answer = pipeline.call("run", *options)
    assert answer.code == 2
    assert message in answer.err
    assert (answer.out, "Traceback" in answer.err) == ("", False)
    assert not pipeline.root.exists()


def test_a_wrong_setting_of_the_environment_is_wrong_usage(pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAKEHOUSE_WORKERS", "many")
    answer = pipeline.call("run")
    assert answer.code == 2
    assert "workers" in answer.err.lower()


def test_no_command_at_all_is_wrong_usage(pipeline: Pipeline) -> None:
    assert pipeline.process("").code == 2


def test_a_lock_held_by_another_process_is_exit_3_and_changes_nothing(built: Pipeline) -> None:
    before = built.versions()
    with FileLock(built.root / "_lock"):
        answer = built.process("run", "--json")
    assert (answer.code, answer.out) == (3, "")
    assert "another run" in answer.err
    assert built.versions() == before


def test_what_a_run_reports_as_json_is_what_the_ledger_holds(built: Pipeline) -> None:
    runs = built.rows("ops.pipeline_runs")
    builds = [row for row in built.rows("ops.table_builds") if row["run_id"] == min(r["run_id"] for r in runs)]
    first = next(row for row in runs if row["run_id"] == builds[0]["run_id"])
    assert (first["status"], first["exit_code"], first["new_files"], first["new_rows"]) == ("succeeded", 0, 1, 12)
    assert first["built"] == len(builds) == sum(row["status"] == "built" for row in builds)
    assert first["finished_at"] > first["started_at"]


def test_a_setting_that_is_no_json_is_told_in_one_line(built: Pipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAKEHOUSE_TIMEZONES", "{anna")
    answer = built.call("tables")
    assert answer.code == 2
    assert "timezones" in answer.err
    assert "Traceback" not in answer.err


def test_check_of_a_folder_without_lakehouse_is_an_error(pipeline: Pipeline) -> None:
    answer = pipeline.call("check")
    assert answer.code == 2
    assert f"there is no lakehouse in {pipeline.root}" in answer.err
