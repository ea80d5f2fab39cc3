"""What a project hands to the kernel's command line. The kernel itself knows no source, no service and no dashboard.

Everything here is cheap to import: what a command needs is loaded when the command is used.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lakehouse.declare.table import Table
    from lakehouse.run.report import Report
    from lakehouse.settings import Settings


@dataclass(frozen=True)
class Command:
    """A command, implemented by a module that is imported only when the command is used.

    The module defines `add_options(parser)` and `call`. A command over a lakehouse has `call(settings, tables, options, console)`
    and the options --lakehouse and --json; a standalone one has `call(options)` and its own options only. `call` returns the
    exit code.
    """

    name: str
    help: str
    module: str
    is_standalone: bool = False


@dataclass(frozen=True)
class Option:
    """An option of `run` and `status` that sets one of the project's own settings."""

    setting: str
    metavar: str
    help: str


@dataclass(frozen=True)
class Announcement:
    """What a hook says after a run: `data` stands in the --json document, the lines in the summary."""

    data: Any = None
    lines: Sequence[str] = ()
    warnings: Sequence[str] = ()


@dataclass(frozen=True)
class Hook:
    """Called after every run that may have changed tables. Its failure is an announcement, never the run's."""

    name: str
    """its key in the --json document"""
    call: Callable[[Settings, Mapping[str, Table], Report], Announcement]


@dataclass(frozen=True)
class Demo:
    """What the project shows to a person without data."""

    content: str
    """what it is made of, and under which licence, as the summary shows it"""
    version: Callable[[], str]
    """another text whenever `make` would write other files; the day it is called does not count"""
    make: Callable[[Path], None]
    """writes landing files into an empty folder"""


@dataclass(frozen=True)
class Product:
    """The project around the kernel."""

    description: str
    settings: Callable[[], type[Settings]]
    """loads the settings class, the kernel's or one derived from it"""
    commands: Sequence[Command] = ()
    run_options: Sequence[Option] = ()
    after_run: Sequence[Hook] = ()
    landing_help: Sequence[str] = ()
    """what to put into the landing folder, a line each"""
    next_commands: Sequence[str] = ()
    """commands that the summary of a run suggests first"""
    early: Sequence[str] = ()
    """categories that people look at first, so they are built first"""
    demo: Callable[[], Demo] | None = None
