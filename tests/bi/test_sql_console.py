"""The SQL console on a running Trino: output, errors, limits, hostile text, and the prompt."""

from __future__ import annotations

import csv
import io
import json
import signal
import stat
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

from prompt_toolkit.application import create_app_session
from prompt_toolkit.input import create_pipe_input
from prompt_toolkit.output import DummyOutput
from rich.console import Console

from bi.console.prompt import SqlConsole, login_of, prompt
from lakehouse.settings import PROJECT_ROOT
from tests.bi.conftest import Stack

SQL = "scripts/sql.py"
ENDLESS = "SELECT count(*) FROM silver.plays a, silver.plays b, silver.plays c WHERE a.ms_played + b.ms_played = c.ms_played"


def ask(stack: Stack, *arguments: str, text: str | None = None) -> subprocess.CompletedProcess[str]:
    return stack.script(SQL, *arguments, input=text)


def test_statements_are_run_in_order_and_rows_counted(stack: Stack) -> None:
    said = ask(
        stack, "-c", "SELECT 1 AS one; SELECT 'a;b' AS two -- ; no\n, 3 AS three", "-c", "SELECT count(*) FROM gold.user_metrics"
    )
    assert said.returncode == 0, said.stderr
    assert [line.split() for line in said.stdout.splitlines() if line and "─" not in line][:5] == [
        ["one"],
        ["1"],
        ["(1", "row)"],
        ["two", "three"],
        ["a;b", "3"],
    ]


def test_an_error_ends_with_its_line_and_exit_code_1(stack: Stack) -> None:
    said = ask(stack, "-c", "SELECT 1;\nSELECT nothing\nFROM gold.user_metrics; SELECT 'not reached'")
    assert said.returncode == 1
    assert "error: line 1:8: Column 'nothing' cannot be resolved" in said.stderr
    assert "not reached" not in said.stdout


def test_csv_is_streamed_whole_and_safe_for_spreadsheets(stack: Stack) -> None:
    query = "SELECT track_name, played_at, ms_played, skipped, reason FROM silver.plays"
    said = ask(stack, "--csv", "-c", query)
    rows = list(csv.DictReader(io.StringIO(said.stdout)))
    assert len(rows) == stack.ask("analyst", "SELECT count(*) FROM silver.plays")[0][0]
    hostile = [row["track_name"] for row in rows if row["track_name"].startswith(("=", "'="))]
    assert hostile
    assert all(name.startswith("'=Track") for name in hostile)
    raw = ask(stack, "--csv", "--raw", "-c", "SELECT track_name FROM silver.plays WHERE track_name LIKE '=%'")
    assert raw.stdout.splitlines()[1].startswith('"=Track')
    assert ask(stack, "--csv", "--max-rows", "2", "-c", query).stdout.count("\n") == 3


def test_json_has_an_object_a_row(stack: Stack) -> None:
    said = ask(stack, "--json", "-c", "SELECT 1 AS a, ARRAY['x', NULL] AS b, DATE '2024-02-29' AS c, CAST(NULL AS double) AS d")
    assert [json.loads(line) for line in said.stdout.splitlines()] == [{"a": 1, "b": ["x", None], "c": "2024-02-29", "d": None}]


def test_text_from_outside_cannot_write_on_the_terminal(stack: Stack) -> None:
    said = ask(stack, "-c", "SELECT chr(27) || '[31mred' || chr(10) || '[bold]x[/]' || chr(8238) AS \"[red]name\"")
    assert "\x1b" not in said.stdout
    assert r"\x1b[31mred\n[bold]x[/]\u202e" in said.stdout
    assert "[red]name" in said.stdout


def test_a_table_shows_its_first_rows_only(stack: Stack) -> None:
    said = ask(stack, "--max-rows", "3", "-c", "SELECT play_id FROM silver.plays")
    assert "(first 3 rows; --max-rows shows more)" in said.stdout


def test_statements_come_from_standard_input_too(stack: Stack) -> None:
    said = ask(stack, text="SELECT 40 + 2 AS answer;\n\\d gold.user_metrics\n")
    assert said.returncode == 0, said.stderr
    assert "42" in said.stdout
    assert "Comment" in said.stdout


def test_users_are_those_with_a_log_in(stack: Stack) -> None:
    assert "Access Denied" in ask(stack, "--user", "bi", "-c", "SELECT * FROM bronze.listening_history").stderr
    nobody = ask(stack, "--user", "nobody", "-c", "SELECT 1")
    assert nobody.returncode == 1
    assert "there is no log-in 'nobody'" in nobody.stderr
    assert ask(stack, "--user", "listener_../credentials", "-c", "SELECT 1").returncode == 1


def test_without_a_server_it_says_how_to_start_one(stack: Stack) -> None:
    nowhere = Stack(stack.settings, stack.lakehouse, stack.landing, stack.environment | {"LAKEHOUSE_BI_DIR": "/tmp/no-stack"})  # noqa: S108
    said = ask(nowhere, "-c", "SELECT 1")
    assert said.returncode == 1
    assert "start the stack (`make bi`)" in said.stderr


def test_ctrl_c_cancels_the_query_at_the_server(stack: Stack) -> None:
    command = ["-c", ENDLESS + " AND 'to be cancelled' <> ''"]
    process = subprocess.Popen(
        [sys.executable, str(PROJECT_ROOT / SQL), *command], env=stack.environment, stderr=subprocess.PIPE, text=True
    )
    mine = "SELECT state FROM system.runtime.queries WHERE query LIKE '%to be cancelled%' AND query NOT LIKE '%runtime%'"
    # The query takes all cores, and the server answers late.
    end = time.monotonic() + 180
    while ["RUNNING"] not in stack.ask("etl", mine):
        assert time.monotonic() < end
        time.sleep(0.3)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 1
    assert "cancelled" in errors
    while ["RUNNING"] in stack.ask("etl", mine):
        assert time.monotonic() < end
        time.sleep(0.3)


def test_the_prompt_takes_statements_over_several_lines(stack: Stack) -> None:
    out, errors = io.StringIO(), io.StringIO()
    history = stack.settings.dir / "sql_history"
    history.unlink(missing_ok=True)

    def type_it() -> None:
        with create_pipe_input() as keys, create_app_session(input=keys, output=DummyOutput()):
            keys.send_text("SELECT 'over\r two lines' AS\r words;\r\\d\r\\?\rSELECT no;\r\\q\r")
            login = login_of(stack.settings, "analyst")
            with SqlConsole(login, "table", out, Console(file=errors, width=200), max_rows=None, is_raw=False) as console:
                prompt(console, history)

    # In a thread of its own: the browser of other tests has an event loop in this one.
    with ThreadPoolExecutor(1) as threads:
        threads.submit(type_it).result()
    assert r"over\n two lines" in out.getvalue()
    assert "daily_listening" in out.getvalue()
    assert "A statement ends with ;" in errors.getvalue()
    assert "Column 'no' cannot be resolved" in errors.getvalue()
    assert stat.S_IMODE(history.stat().st_mode) == 0o600
    assert "two lines" in history.read_text()
