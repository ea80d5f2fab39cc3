"""The command `maintain`: upkeep of a lakehouse and its inbox, with what it did to each table."""

from __future__ import annotations

import argparse
import dataclasses
import sys

from rich.console import Console
from rich.filesize import decimal
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from lakehouse.cli.console import compact_grid, plain, print_json
from lakehouse.cli.errors import FAILED, OK, UsageError
from lakehouse.declare.table import Table
from lakehouse.settings import Settings
from lakehouse.storage.lakehouse import Lakehouse
from upkeep.delta_folder import Size
from upkeep.maintenance import Maintained, Policy, TableUpkeep, maintain
from upkeep.settings import UpkeepSettings


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of `maintain`."""
    parser.add_argument("--dry-run", action="store_true", help="only say what would be merged and removed")


def call(settings: Settings, tables: dict[str, Table], options: argparse.Namespace, console: Console) -> int:
    """Maintain the lakehouse; 1 if a table could not be worked on. Raises UsageError without one, LockedError, OSError."""
    own = UpkeepSettings()
    if not Lakehouse(settings.dir).exists():
        raise UsageError(f"there is no lakehouse in {settings.dir} yet")
    policy = Policy(own.version_age, own.history_age)
    with Shown(console, is_quiet=options.json) as shown:
        done = maintain(settings.dir, settings.inbox_folder, policy, shown, dry_run=options.dry_run)
    if options.json:
        print_json(dataclasses.asdict(done) | {"lakehouse": str(settings.dir)})
    else:
        _print(console, done)
    problems = [one for one in done.tables if one.error is not None]
    for one in problems:
        sys.stderr.write(f"error: {one.table}: {plain(one.error, 300).plain}\n")
    return FAILED if problems else OK


class Shown:
    """A progress bar on a terminal, a line per changed table elsewhere, nothing with --json. Use as a context manager."""

    def __init__(self, console: Console, *, is_quiet: bool) -> None:
        self.console, self.is_quiet = console, is_quiet
        columns = [SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()]
        self.progress = Progress(*columns, console=console, transient=True, disable=is_quiet or not console.is_terminal)
        self.task = self.progress.add_task("looking at tables", total=None)

    def __enter__(self) -> Shown:
        self.progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.progress.stop()

    def begin(self, tables: int) -> None:
        self.progress.update(self.task, total=tables, completed=0)

    def table(self, name: str) -> None:
        self.progress.update(self.task, description=plain(name, 60).plain)

    def done(self, upkeep: TableUpkeep) -> None:
        self.progress.update(self.task, advance=1)
        if not self.is_quiet and not self.console.is_terminal and is_changed(upkeep):
            self.console.print(plain(f"{upkeep.table}: {_said(upkeep)}"))


def is_changed(upkeep: TableUpkeep) -> bool:
    """Whether there was anything to do."""
    return bool(upkeep.merged or upkeep.removed or upkeep.removed_log or (upkeep.after and upkeep.after != upkeep.before))


def _said(upkeep: TableUpkeep) -> str:
    return f"{upkeep.merged:,} files merged, {upkeep.removed:,} removed, {upkeep.removed_log:,} of the log removed"


def _print(console: Console, done: Maintained) -> None:
    changed = [one for one in done.tables if is_changed(one)]
    if changed:
        _print_tables(console, done, changed)
    would = "would be " if done.is_dry_run else ""
    for number, what in (
        (done.trimmed_rows, "rows of the history of runs {}removed"),
        (done.packed_files, "poll files of the inbox {}packed"),
        (len(done.leftovers), "folders that runs did not finish {}removed"),
    ):
        if number:
            console.print(f"{number:,} {what.format(would)}")
    total = sum((one.before for one in done.tables), start=Size(0, 0, 0))
    text = f"{len(done.tables)} tables, {decimal(total.bytes)} in {total.files + total.log_files:,} files"
    if not done.is_dry_run:
        after = sum((one.after or one.before for one in done.tables), start=Size(0, 0, 0))
        text += f" before, {decimal(after.bytes)} in {after.files + after.log_files:,} files now; {done.seconds:.1f} s"
    console.print(text if changed else f"{text}; there was nothing to do", style="bold")


def _print_tables(console: Console, done: Maintained, changed: list[TableUpkeep]) -> None:
    grid = compact_grid("table")
    names = ("to merge", "to remove", "of the log") if done.is_dry_run else ("files", "log files", "size")
    for name in names:
        grid.add_column(name, justify="right", no_wrap=True)
    for one in changed:
        grid.add_row(plain(one.table), *_cells(one))
    console.print(grid, soft_wrap=False)


def _cells(one: TableUpkeep) -> tuple[str, str, str]:
    before, after = one.before, one.after
    if after is None:
        return f"{one.merged:,}", f"{one.removed:,}", f"{one.removed_log:,}"
    sizes = f"{decimal(before.bytes)} > {decimal(after.bytes)}"
    return f"{before.files:,} > {after.files:,}", f"{before.log_files:,} > {after.log_files:,}", sizes
