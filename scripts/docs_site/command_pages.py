"""The reference of commands, from their own `--help`."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

# What a person calls, and the program behind it. Their own subcommands are found in their help.
PROGRAMS = (
    ("lakehouse", "run_pipeline.py"),
    ("scheduler.py", "scheduler.py"),
    ("scripts/bi.py", "scripts/bi.py"),
    ("scripts/sql.py", "scripts/sql.py"),
    ("scripts/generate_listeners.py", "scripts/generate_listeners.py"),
    ("scripts/register_tables.py", "scripts/register_tables.py"),
    ("scripts/build_dashboards.py", "scripts/build_dashboards.py"),
    ("scripts/download_kaggle.py", "scripts/download_kaggle.py"),
)
WIDTH = 100
SUBCOMMAND = re.compile(r"^    ([a-z][\w-]*)(?:  +\S|$)", re.MULTILINE)


class HelpError(Exception):
    """A command whose help cannot be shown; the message has what it said."""


def commands_page(root: Path) -> str:
    """The page of all commands. Raises HelpError."""
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        tops = dict(zip(PROGRAMS, pool.map(lambda p: help_of(root, [p[1]]), PROGRAMS), strict=True))
        calls = [(shown, program, sub) for (shown, program), text in tops.items() for sub in subcommands(text)]
        texts = dict(zip(calls, pool.map(lambda c: help_of(root, [c[1], c[2]]), calls), strict=True))
    lines: list[str] = []
    for (shown, program), text in tops.items():
        lines += ["", f"## {shown}", "", "```text", text, "```"]
        for (_, of, sub), help_text in texts.items():
            if of == program:
                lines += ["", f"### {shown} {sub}", "", "```text", help_text, "```"]
    return "\n".join(lines) + "\n"


def help_of(root: Path, call: Sequence[str]) -> str:
    """What a program prints for `--help`, at a fixed width and without colours. Raises HelpError."""
    plain = {"COLUMNS": str(WIDTH), "NO_COLOR": "1", "PYTHON_COLORS": "0", "TERM": "dumb"}
    done = subprocess.run(  # noqa: S603
        [sys.executable, *call, "--help"],
        cwd=root,
        env=os.environ | plain,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    if done.returncode:
        raise HelpError(f"{' '.join(call)} --help ended with {done.returncode}: {done.stderr.strip()}")
    return done.stdout.strip()


def subcommands(text: str) -> list[str]:
    """Names of the subcommands that a help text lists."""
    return SUBCOMMAND.findall(text) if re.search(r"COMMAND", text) else []
