"""The installed command: its help, its speed, shell completion, and the commands that are called by another name, too."""

from __future__ import annotations

import re
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from lakehouse.cli.main import OWN, commands_of
from lakehouse.settings import PROJECT_ROOT
from run_pipeline import PRODUCT

LAKEHOUSE = str(Path(sys.executable).with_name("lakehouse"))
HEAVY = ("pyspark", "pysail", "pyarrow", "deltalake", "pydantic", "rich", "numpy", "pandas", "argparse", "dataclasses")


def say(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([LAKEHOUSE, *words], capture_output=True, text=True, check=False)


def seconds(command: Sequence[str]) -> float:
    began = time.perf_counter()
    subprocess.run(command, stdout=subprocess.DEVNULL, check=True)
    return time.perf_counter() - began


def test_help_names_every_command_in_one_screen() -> None:
    answer = say("--help")
    lines = answer.stdout.splitlines()
    assert (answer.returncode, answer.stderr) == (0, "")
    assert len(lines) <= 42
    assert max(map(len, lines)) <= 100
    named = [match[1] for line in lines if (match := re.match(r"  ([\w-]+) {2,}\w", line))]
    assert sorted(named) == sorted(commands_of(PRODUCT))
    assert len(named) == len(OWN) + len(PRODUCT.commands)


def test_help_takes_at_most_four_times_as_long_as_python_itself() -> None:
    nothing, helped = [], []
    for _ in range(9):
        nothing.append(seconds([sys.executable, "-c", "pass"]))
        helped.append(seconds([LAKEHOUSE, "--help"]))
    assert statistics.median(helped) <= 4 * statistics.median(nothing)


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import sys, run_pipeline, lakehouse.process_exit\n"
        "from lakehouse.cli.main import main\n"
        "main(run_pipeline.PRODUCT, ['--help'])\n"
        f"print(sorted(set({HEAVY!r}) & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


def test_without_a_command_the_help_is_an_error() -> None:
    answer = say()
    assert (answer.returncode, answer.stdout) == (2, "")
    assert answer.stderr.startswith("usage: lakehouse COMMAND [OPTIONS]")
    unknown = say("frobnicate")
    assert (unknown.returncode, unknown.stdout) == (2, "")
    assert "invalid choice: 'frobnicate'" in unknown.stderr


# Beside those that read one.
OF_A_LAKEHOUSE = ("run", "poll", "stream", "serve", "notify", "doctor", "restore")


@pytest.mark.parametrize("name", list(commands_of(PRODUCT)))
def test_every_command_has_help_of_its_own(name: str) -> None:
    answer = say(name, "--help")
    assert (answer.returncode, answer.stderr) == (0, "")
    assert answer.stdout.startswith(f"usage: lakehouse {name} ")
    assert ("--lakehouse DIR" in answer.stdout) == (commands_of(PRODUCT)[name].reads or name in OF_A_LAKEHOUSE)


@pytest.mark.parametrize("shell", ["bash", "zsh", "tcsh"])
def test_a_completion_script_knows_every_command_and_its_options(shell: str) -> None:
    answer = say("completion", shell)
    assert (answer.returncode, answer.stderr) == (0, "")
    for name in commands_of(PRODUCT):
        assert name in answer.stdout
    for option in ("dry-run", "columns", "format", "catalogue", "max-rows"):
        assert option in answer.stdout


def test_bash_completes_commands_options_and_actions() -> None:
    def completed(line: str) -> list[str]:
        script = (
            f'eval "$({LAKEHOUSE} completion bash)"\n'
            f"COMP_WORDS=({line}); COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1)); COMP_LINE='{line}'; COMP_POINT=${{#COMP_LINE}}\n"
            '_shtab_lakehouse; printf "%s\\n" "${COMPREPLY[@]}"'
        )
        done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=True)  # noqa: S607
        return [word.strip() for word in done.stdout.split()]

    assert "status" in completed("lakehouse st")
    assert "--columns" in completed("lakehouse show --col")
    assert "listener" in completed("lakehouse bi lis")


@pytest.mark.parametrize(
    ("script", "name"), [("scripts/bi.py", "bi"), ("scripts/sql.py", "sql"), ("scripts/generate_listeners.py", "generate")]
)
def test_scripts_are_the_commands_of_another_name(script: str, name: str, tmp_path: Path) -> None:
    command = [sys.executable, str(PROJECT_ROOT / script), "--help"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=tmp_path)
    assert done.stdout == say(name, "--help").stdout


def test_the_project_is_on_the_path_and_hides_no_installed_client(tmp_path: Path) -> None:
    code = "import lakehouse, trino.dbapi; print(lakehouse.__file__, trino.__file__)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=tmp_path)
    own, client = done.stdout.split()
    assert Path(own).parent == PROJECT_ROOT / "lakehouse"
    assert "site-packages" in client
    assert (PROJECT_ROOT / "lakehouse" / "py.typed").is_file()


def test_ingest_reads_into_every_table_that_landing_files_go_to() -> None:
    from ingestion import sources
    from lakehouse.plan import graph

    command = [sys.executable, "-c", "import stage; print(*stage.landing_tables())"]
    done = subprocess.run(command, cwd=PROJECT_ROOT / "scripts", capture_output=True, text=True, check=True)
    tables = set(done.stdout.split())
    assert tables >= {name for name in graph.load() if sources(name.split(".")[1])} >= {"bronze.listening_history"}
    assert all(name.startswith("bronze.") for name in tables)
