"""What a command of the command line is."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass

from rich.console import Console

from lakehouse.declare.table import Table
from lakehouse.settings import Settings

Call = Callable[[Settings, dict[str, Table], argparse.Namespace, Console], int]


@dataclass(frozen=True)
class Command:
    """A command that the project adds from outside the kernel; `call` returns the exit code."""

    name: str
    help: str
    add_options: Callable[[argparse.ArgumentParser], None]
    call: Call
