"""What a project hands to the kernel's command line. The kernel itself knows no source, no service and no dashboard.

Everything here is cheap to import: what a command needs is loaded when the command is used. Named tuples, as importing
`dataclasses` alone takes as long as all else that `--help` needs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from lakehouse.declare.table import Table
    from lakehouse.run.report import Additions, Audit, Report
    from lakehouse.settings import Settings


class Command(NamedTuple):
    """A command, implemented by a module that is imported only when the command is used.

    The module defines `add_options(parser)` and `call`, which returns the exit code. A command that reads a lakehouse gets the
    options --lakehouse and --json and has `call(settings, tables, options, console)`; any other has `call(product, options)`.
    """

    name: str
    help: str
    module: str
    group: str
    """the heading it stands under in --help"""
    reads: bool = True


class Option(NamedTuple):
    """An option of `run` and `status` that sets one of the project's own settings; `_` in its name is typed as `-`."""

    setting: str
    metavar: str
    help: str
    may_repeat: bool = False


class Announcement(NamedTuple):
    """What a hook says after a run: `data` stands in the --json document, the lines in the summary."""

    data: Any = None
    lines: Sequence[str] = ()
    warnings: Sequence[str] = ()


class Hook(NamedTuple):
    """Called after every run that may have changed tables. A service that is down is a warning, never the run's failure."""

    name: str
    """its key in the --json document"""
    call: Callable[[Settings, Mapping[str, Table], Report], Announcement]


class Demo(NamedTuple):
    """What the project shows to a person without data."""

    content: str
    """what it is made of, and under which licence, as the summary shows it"""
    version: Callable[[], str]
    """another text whenever `make` would write other files; the day it is called does not count"""
    make: Callable[[Path], None]
    """writes landing files into an empty folder"""


class Product(NamedTuple):
    """The project around the kernel."""

    description: str
    settings: Callable[[], type[Settings]]
    """loads the settings class, the kernel's or one derived from it"""
    commands: Sequence[Command] = ()
    run_options: Sequence[Option] = ()
    before_run: Sequence[Callable[[Settings], None]] = ()
    """called at the start of every run that may write, while it holds the lock of the lakehouse, before it looks for files; what
    it cannot do is logged, and never the run's failure"""
    after_run: Sequence[Hook] = ()
    landing_help: Sequence[str] = ()
    """what to put into the landing folder, a line each"""
    next_commands: Sequence[str] = ()
    """commands that the summary of a run suggests first"""
    next_elsewhere: Sequence[str] = ()
    """those it suggests instead where commands are typed elsewhere than they run, as for containers; of no certain lakehouse"""
    early: Sequence[str] = ()
    """categories that people look at first, so they are built first"""
    demo: Callable[[], Demo] | None = None
    audit: Audit | None = None
    """finds landing files whose rows were read and count nowhere"""
    additions: Additions | None = None
    """says what the product's own ops tables are to hold after a run"""
    status: Callable[[Settings], Announcement] | None = None
    """what `status` says beside the runs: `data` stands in the --json document, key by key"""
    note: Callable[[Settings, Table, str | None], str | None] | None = None
    """what `show` says under the rows of a table, perhaps of one listener"""
