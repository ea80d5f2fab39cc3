"""What `show`, `tables` and `status` look like on a terminal of 80 columns."""

from __future__ import annotations

import io
import json
import subprocess
import sys

import pytest
from rich.console import Console

from lakehouse.build.builder import Outcome
from lakehouse.cli.console import Live
from lakehouse.settings import PROJECT_ROOT
from tests.end_to_end.pipeline import Pipeline, days

WIDTH = 80


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Pipeline:
    pipeline = Pipeline(tmp_path_factory.mktemp("built"))
    pipeline.write("history.json", days(28) + days(20, month=2))
    pipeline.build("--only", "gold.top_artists", "--only", "gold.user_metrics", "--only", "gold.daily_listening")
    return pipeline


@pytest.fixture(autouse=True)
def narrow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", str(WIDTH))


@pytest.mark.parametrize(
    "command", [["status"], ["tables"], ["show", "user_metrics"], ["show", "daily_listening"], ["show", "plays"]]
)
def test_no_line_is_wider_than_the_terminal(built: Pipeline, command: list[str]) -> None:
    lines = built.call(*command).out.splitlines()
    assert [line for line in lines if len(line) > WIDTH and not line.startswith("stale:")] == []


def test_one_row_that_does_not_fit_stands_upright_with_meanings(built: Pipeline) -> None:
    lines = [line.split(None, 2) for line in built.call("show", "gold.user_metrics").out.splitlines()]
    assert ["plays", "96", "all plays, short ones included"] in [[part.strip() for part in line] for line in lines]
    assert [line[0] for line in lines][-1] == "measured_share"


def test_dates_are_shown_from_the_newest(built: Pipeline) -> None:
    found = built.call("show", "daily_listening", "--limit", "2", "--json").document
    assert [row["date"] for row in found] == ["2024-02-20", "2024-02-19"]
    assert "2 of 48 rows (--limit N)" in built.call("show", "daily_listening", "--limit", "2").out


def test_columns_are_those_asked_for(built: Pipeline) -> None:
    found = built.call("show", "top_artists", "--columns", "artist_name,rank", "--limit", "1", "--json").document
    assert [list(row) for row in found] == [["artist_name", "rank"]]
    wrong = built.call("show", "top_artists", "--columns", "artist_nam")
    assert (wrong.code, wrong.out) == (2, "")
    assert "no column 'artist_nam'; it has artist_name" in wrong.err


def test_nothing_to_show_is_said(built: Pipeline) -> None:
    answer = built.call("show", "top_artists", "--user", "nobody")
    assert (answer.code, answer.out) == (0, "gold.top_artists has no rows for listener 'nobody'; it has rows for me\n")
    assert "is empty" in built.call("show", "silver.quarantine").out or built.call("show", "silver.quarantine").code == 1


def test_tables_are_grouped_and_can_be_chosen(built: Pipeline) -> None:
    lines = built.call("tables", "gold.descriptive", "silver.plays").out.splitlines()
    headings = [line for line in lines if line in ("bronze", "silver", "gold.descriptive", "gold.diagnostic", "ops")]
    assert headings == ["silver", "gold.descriptive"]
    assert [line.split()[1] for line in lines if line.startswith(("gold.user_metrics ", "gold.top_tracks "))] == ["-", "1"]
    assert {row["table"] for row in built.call("tables", "silver.plays", "--json").document} == {"silver.plays"}
    assert built.call("tables", "gold.nothing").code == 2


@pytest.mark.parametrize("command", [["tables"], ["tables", "--json"], ["show", "plays", "--limit", "10000", "--json"]])
def test_a_reader_that_has_enough_is_no_error(built: Pipeline, command: list[str]) -> None:
    process = built.start(command[0], *command[1:])
    assert process.stdout is not None
    process.stdout.readline()
    process.stdout.close()
    assert process.stderr is not None
    assert (process.stderr.read(), process.wait(60)) == ("", 0)


def test_a_table_whose_upstream_is_missing_is_told_without_a_class_name() -> None:
    console = Console(file=io.StringIO(), width=WIDTH)
    Live(console).finished(Outcome("gold.a", "failed", error="FileNotFoundError: silver.b has never been built"))
    assert console.file.getvalue() == "failed     gold.a  0.00 s  silver.b has never been built\n"  # type: ignore[attr-defined]


def test_a_summary_tells_errors_before_warnings(pipeline: Pipeline) -> None:
    pipeline.write("history.json", days(2))
    pipeline.write("notes.txt", "hello")
    pipeline.write("half.json", json.dumps(days(4))[:-40])
    answer = pipeline.call("run")
    lines = [line.strip() for line in answer.out.splitlines()]
    assert answer.code == 1
    assert lines.index("Errors") < next(n for n, line in enumerate(lines) if line.startswith("error: broken file half.json"))
    assert lines.index("Errors") < lines.index("Warnings")
    assert [line for line in lines[lines.index("Warnings") :] if line.startswith("error")] == []


def test_a_pipe_into_head_ends_quietly(built: Pipeline) -> None:
    arguments = " ".join(f"'{part}'" for part in ["show", "--lakehouse", str(built.root), "plays", "--json"])
    line = f"set -o pipefail; '{sys.executable}' '{PROJECT_ROOT}/run_pipeline.py' {arguments} | head -1"
    done = subprocess.run(["bash", "-c", line], capture_output=True, text=True, check=False)  # noqa: S607
    assert (done.returncode, done.stdout, done.stderr) == (0, "[\n", "")


@pytest.mark.parametrize("limit", ["0", "-3", "many"])
def test_a_limit_below_one_is_refused(built: Pipeline, limit: str) -> None:
    answer = built.call("show", "daily_listening", f"--limit={limit}")
    assert (answer.code, "not 1 or more" in answer.err) == (2, True)
