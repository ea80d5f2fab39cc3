"""What a person sees of a run: live progress, then a summary. Names from outside are shown as text, never as markup."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from typing import Any, TextIO

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table as Grid
from rich.text import Text

from lakehouse.build.task import Outcome
from lakehouse.cli.here import NAMED, program, typed
from lakehouse.cli.here import near as near  # noqa: PLC0414 - what prints needs it, too
from lakehouse.cli.sanitize import CONTROL
from lakehouse.plan.staleness import Stale
from lakehouse.storage.landed_files import LandedFile

STYLES = {"failed": "red", "refused": "red", "blocked": "red", "not built": "yellow", "built": "green"}


def plain(value: Any, length: int = 120) -> Text:
    """A value as one line of text, without control or direction characters, cut to `length`."""
    text = CONTROL.sub(" ", "" if value is None else f"{value:.4g}" if isinstance(value, float) else str(value))
    return Text(text if len(text) <= length else text[: length - 1] + "…")


def compact_grid(*columns: str) -> Grid:
    """A grid without edges, for terminals of 80 columns; between columns it has two spaces."""
    grid = Grid(box=SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False, show_edge=False, show_header=bool(columns))
    for name in columns:
        grid.add_column(name, no_wrap=True)
    return grid


class Terminal(Console):
    """Standard output. A reader that has seen enough (`| head`) is no failure: what is left unsaid goes nowhere.

    Commands in messages are shown as they can be typed; tables, which hold data, as they are.
    """

    def __init__(self, *, stderr: bool = False) -> None:
        super().__init__(stderr=stderr, highlight=False, soft_wrap=True)

    def print(self, *objects: Any, **options: Any) -> None:
        """Print as rich's Console does."""
        super().print(*map(_typed, objects), **options)

    def on_broken_pipe(self) -> None:
        self.quiet = True
        forget_stdout()


def _typed(shown: Any) -> Any:
    """A text or styled text with its commands as they can be typed; anything else as it is."""
    if isinstance(shown, str):
        return typed(shown)
    if not isinstance(shown, Text) or typed(shown.plain) == shown.plain:
        return shown
    for match in reversed(list(NAMED.finditer(shown.plain))):
        shown = shown[: match.start()] + Text(program()) + shown[match.end() :]
    return shown


def forget_stdout() -> None:
    """Send what is still written to standard output nowhere, also what the interpreter flushes at its end."""
    forget(sys.stdout)


def forget(stream: TextIO) -> None:
    """Send what is still written to a stream nowhere, because whoever read it has seen enough, as `head` has."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


class Quiet:
    """An observer that shows nothing (for --json)."""

    def reading(self, file: LandedFile, number: int, total: int) -> None:
        """A landing file is about to be read."""

    def planned(self, stale: Sequence[Stale]) -> None:
        """The tables to build are known."""

    def started(self, table: str) -> None:
        """A table is being built."""

    def finished(self, outcome: Outcome) -> None:
        """A table is done."""


class Live(Quiet):
    """Shows a progress bar on a terminal, a line per table elsewhere. Use as a context manager."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self.progress = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )
        self.task: TaskID = self.progress.add_task("looking for new files", total=None)
        self.active: list[str] = []

    def __enter__(self) -> Live:
        self.progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.progress.stop()

    def reading(self, file: LandedFile, number: int, total: int) -> None:
        if not self.console.is_terminal:
            self.console.print(Text("reading ") + plain(file.path))
        self.progress.update(self.task, description=f"reading {plain(file.path, 50).plain}", total=total, completed=number - 1)

    def planned(self, stale: Sequence[Stale]) -> None:
        self.progress.update(self.task, description="building", total=len(stale), completed=0)

    def started(self, table: str) -> None:
        self.active.append(table)
        self.progress.update(self.task, description=f"building {', '.join(self.active)[:60]}")

    def finished(self, outcome: Outcome) -> None:
        if outcome.table in self.active:
            self.active.remove(outcome.table)
        self.progress.update(self.task, description=f"building {', '.join(self.active)[:60]}", advance=1)
        if outcome.status != "blocked" and (not self.console.is_terminal or outcome.status in ("failed", "refused")):
            line = Text(f"{outcome.status:<10} {outcome.table}  {outcome.seconds:.2f} s", style=STYLES.get(outcome.status, ""))
            listeners = len({one.user_id for one in outcome.held})
            held = (
                Text(f"  {listeners:,} listener{'s' if listeners != 1 else ''} held back", style="red") if listeners else Text()
            )
            self.console.print(line + held + (Text("  ") + plain(reason(outcome.error), 300) if outcome.error else Text()))


def print_json(content: Any) -> None:
    """Print one JSON document to stdout."""
    try:
        json.dump(content, sys.stdout, ensure_ascii=False, indent=2, default=str)
        sys.stdout.write("\n")
        sys.stdout.flush()
    except BrokenPipeError:
        forget_stdout()


def reason(error: str | None) -> str:
    """What an outcome says of its error; that a table is missing needs no class name before it."""
    return (error or "").removeprefix("FileNotFoundError: ")
