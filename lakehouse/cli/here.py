"""Commands and folders as the person who reads types and sees them: inside a container, they are others than where this runs."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import sys
from pathlib import Path

from lakehouse.settings import PROJECT_ROOT

# Set where a person types commands elsewhere, as for containers: what stands for `lakehouse` there, and for the landing folder.
COMMAND, LANDING = "LAKEHOUSE_COMMAND", "LAKEHOUSE_LANDING_SHOWN"
# How messages name commands: in backticks.
NAMED = re.compile(r"(?<=`)lakehouse(?= [a-z])")


def is_elsewhere() -> bool:
    """Whether commands are typed elsewhere than where this runs."""
    return bool(os.environ.get(COMMAND))


def near(path: Path) -> str:
    """The path from the current folder where it lies inside, else whole; both can be typed."""
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else str(path)


def program() -> str:
    """The command `lakehouse` as it can be typed."""
    if outer := os.environ.get(COMMAND):
        return outer
    installed = Path(sys.executable).with_name("lakehouse")
    if not installed.is_file():
        return f"{shlex.quote(near(Path(sys.executable)))} {shlex.quote(near(PROJECT_ROOT / 'run_pipeline.py'))}"
    return "lakehouse" if shutil.which("lakehouse") == str(installed) else shlex.quote(near(installed))


def landing_shown(landing: Path) -> str:
    """The landing folder as it can be found."""
    return os.environ.get(LANDING) or near(landing)


def typed(message: str) -> str:
    """A message whose commands (`lakehouse NAME`) can be typed; unchanged where `lakehouse` itself can."""
    outer = os.environ.get(COMMAND)
    return NAMED.sub(lambda _: outer, message) if outer else message
