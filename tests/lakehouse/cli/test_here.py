"""Messages name commands and folders as the person who reads can type and find them."""

from __future__ import annotations

from pathlib import Path

import pytest
from rich.text import Text

from lakehouse.cli.console import Terminal
from lakehouse.cli.errors import print_error
from lakehouse.cli.here import COMMAND, LANDING, landing_shown, program, typed

OUTER = "docker compose run --rm pipeline lakehouse"


def test_in_a_container_commands_are_those_of_the_host(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(COMMAND, OUTER)
    monkeypatch.setenv(LANDING, "data/landing")
    assert (program(), landing_shown(Path("/landing"))) == (OUTER, "data/landing")
    assert typed("run `lakehouse poll --again`, then `lakehouse run`") == f"run `{OUTER} poll --again`, then `{OUTER} run`"
    console = Terminal()
    console.print(Text("refused: ", style="red") + Text("`lakehouse connect spotify` renews it", style="bold"))
    console.print("`lakehouse run` builds it")
    print_error("not built; `lakehouse run` builds it")
    told = capsys.readouterr()
    assert told.out == f"refused: `{OUTER} connect spotify` renews it\n`{OUTER} run` builds it\n"
    assert told.err == f"error: not built; `{OUTER} run` builds it\n"


@pytest.mark.parametrize("message", ["a lakehouse run", "`lakehouse`", "`lakehouses run`", "the folder `data/lakehouse x`"])
def test_what_is_no_command_stays(message: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(COMMAND, OUTER)
    assert typed(message) == message


def test_elsewhere_than_in_a_container_messages_stay(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv(COMMAND, raising=False)
    monkeypatch.delenv(LANDING, raising=False)
    monkeypatch.chdir(tmp_path)
    assert typed("`lakehouse run` builds it") == "`lakehouse run` builds it"
    assert program().endswith(("lakehouse", "run_pipeline.py"))
    assert landing_shown(tmp_path / "landing") == "landing"
