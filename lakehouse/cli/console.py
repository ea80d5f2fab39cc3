"""What a person sees of a run: live progress, then a summary. Names from outside are shown as text, never as markup."""

from __future__ import annotations

import json
import os
import shlex
import sys
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table as Grid
from rich.text import Text

from lakehouse.build.task import Outcome
from lakehouse.cli.product import Announcement, Product
from lakehouse.cli.sanitize import CONTROL
from lakehouse.plan.staleness import Stale
from lakehouse.run.report import Report
from lakehouse.settings import Settings
from lakehouse.storage.landed_files import LandedFile

STYLES = {"failed": "red", "refused": "red", "blocked": "red", "not built": "yellow", "built": "green"}
SHOWN = 20
SLOWEST = 5
DEMO_STYLE = "bold reverse yellow"


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


def near(path: Path) -> str:
    """The path from the current folder where it lies inside, else whole; both can be typed."""
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else str(path)


class Terminal(Console):
    """Standard output. A reader that has seen enough (`| head`) is no failure: what is left unsaid goes nowhere."""

    def __init__(self) -> None:
        super().__init__(highlight=False, soft_wrap=True)

    def on_broken_pipe(self) -> None:
        self.quiet = True
        forget_stdout()


def forget_stdout() -> None:
    """Send what is still written to standard output nowhere, also what the interpreter flushes at its end."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


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
            self.console.print(line + (Text("  ") + plain(_reason(outcome.error), 300) if outcome.error else Text()))


def announce_demo(console: Console, content: str, landing: Path, lakehouse: Path) -> None:
    """Say before anything is built that it is the demo, and why."""
    console.print(Text("*** DEMO *** None of these plays is yours or anybody's.", style=DEMO_STYLE))
    console.print(Text(f"{near(landing)} is empty or not there, so this builds a demo: {content}."))
    console.print(Text(f"It has a lakehouse of its own, {near(lakehouse)}; --no-demo builds nothing.\n"))


def conclude_demo(console: Console, content: str, landing: Path, landing_help: Sequence[str]) -> None:
    """Say once more, last, that it was the demo, and how to put in one's own data."""
    console.print(Text(f"\n*** DEMO *** This was the demo: {content}.", style=DEMO_STYLE))
    console.print(Text(f"To see your own listening, make the folder {near(landing)} and put into it, as they are:"))
    _explain_files(console, landing_help)


def summarise(console: Console, report: Report, settings: Settings, product: Product, *, is_demo: bool = False) -> None:
    """Print what a run did: rows, tables, files, problems, and what to look at next."""
    if report.is_empty:
        _explain_landing(console, str(settings.landing), product.landing_help)
        return
    if report.is_landing_missing and not is_demo:
        console.print(Text(f"warning: the landing folder {settings.landing} does not exist", style="yellow"))
    if report.is_dry_run:
        _dry_run(console, report)
        return
    if report.reconciliation:
        console.print(_reconciliation(report.reconciliation))
    of_models = {True: Counter[str](), False: Counter[str]()}
    for outcome in report.outcomes:
        of_models[outcome.is_model][outcome.status] += 1
    counts = of_models[False] + Counter({"up to date": report.up_to_date})
    told = ", ".join(
        f"{counts[s]} {s}" for s in ("built", "unchanged", "up to date", "not built", "failed", "refused", "blocked") if counts[s]
    )
    is_idle = not report.outcomes
    started = "no engine started: nothing new" if is_idle else f"engine {report.engine} ({report.engine_reason})"
    console.print(Text(f"tables: {told}", style="bold") + Text(f"  in {report.seconds:.1f} s, {started}"))
    if trained := of_models[True]:
        words = {"built": "trained", "unchanged": "trained again to the same", "up to date": "kept: too little is new"}
        told = ", ".join(f"{number} {words.get(status, status)}" for status, number in sorted(trained.items()))
        console.print(Text(f"models: {told}", style="bold"))
    slow = sorted((o for o in report.outcomes if o.status == "built"), key=lambda o: -o.seconds)[:SLOWEST]
    if slow:
        console.print(Text("slowest: " + ", ".join(f"{o.table} {o.seconds:.1f} s" for o in slow), style="dim"))
    _problems(console, report)
    if report.exit_code == 0:
        script = f"{os.path.relpath(sys.executable)} run_pipeline.py"
        default = settings.dir == Settings.model_fields["dir"].default
        place = "" if default else f" --lakehouse {shlex.quote(near(settings.dir))}"
        console.print(Text("next:", style="bold"))
        for command in (*product.next_commands, "tables", "status"):
            console.print(Text(f"  {script} {command}{place}", style="cyan"))
    console.print(f"lakehouse: {near(settings.dir)}", style="dim", highlight=False)


def announce(console: Console, said: Announcement | None) -> None:
    """What a hook says after a run."""
    if said is None:
        return
    for line in said.lines:
        console.print(plain(line, 400))
    for warning in said.warnings:
        console.print(Text("warning: ", style="yellow") + plain(warning, 400))


def _reconciliation(rows: Iterable[Mapping[str, Any]]) -> Grid:
    names = ("bronze", "kept", "duplicate", "quarantined", "set_aside")
    grid = Grid(title="Every row accounted for", title_justify="left", box=SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False)
    grid.add_column("source")
    for name in ("files", "rows in", *names[1:]):
        grid.add_column(name.replace("_", " "), justify="right")
    totals: dict[str, Counter[str]] = {}
    for row in rows:
        total = totals.setdefault(str(row["source"]), Counter())
        total.update({name: row[name] for name in names})
        total["files"] += 1
    for source, total in sorted(totals.items()):
        grid.add_row(plain(source), *[f"{total[name]:,}" for name in ("files", *names)])
    if len(totals) > 1:
        every = sum(totals.values(), Counter())
        grid.add_section()
        grid.add_row("all", *[f"{every[name]:,}" for name in ("files", *names)])
    return grid


def _problems(console: Console, report: Report) -> None:
    """Errors first, then warnings, as blocks of their own."""
    new = {f.file_hash for f in report.newly_broken}
    errors = [
        Text(f"{o.status}: {o.table}: ") + plain(_reason(o.error), 400)
        for o in report.outcomes
        if o.status in ("failed", "refused")
    ]
    if blocked := [o.table for o in report.outcomes if o.status == "blocked"]:
        errors.append(Text(f"blocked: {len(blocked)} tables that need them: ") + plain(", ".join(blocked), 600))
    broken = [Text("error: ") + _file_line(f) for f in report.problems if f.file_hash in new]
    _block(console, "Errors", "red", errors + _cut(broken, "files; see ops.ingestion_state"))
    not_built = [Text(f"not built: {o.table}: ") + plain(o.error, 400) for o in report.outcomes if o.status == "not built"]
    checks = [
        Text(f"warning: {o.table}: {c.rule}: {c.violations:,} of {c.rows:,}  ") + plain(c.detail)
        for o in report.outcomes
        for c in o.checks
        if c.status == "WARN"
    ]
    known = [Text("warning: ") + _file_line(f) for f in report.problems if f.file_hash not in new]
    killed = [Text(f"warning: run {run_id} was killed; what it had not finished was built now") for run_id in report.killed]
    warnings = not_built + _cut(checks, "rules; see ops.qa_validation_results")
    _block(console, "Warnings", "yellow", warnings + _cut(known, "files; see ops.ingestion_state") + killed)


def _block(console: Console, title: str, style: str, lines: Sequence[Text]) -> None:
    if lines:
        console.print(Text(f"\n{title}", style=f"bold {style}"))
    for line in lines:
        console.print(Text("", style=style) + line)
    if lines:
        console.print()


def _cut(lines: list[Text], rest: str) -> list[Text]:
    left = len(lines) - SHOWN
    return lines if left <= 0 else [*lines[:SHOWN], Text(f"... and {left} more {rest}")]


def _file_line(file: LandedFile) -> Text:
    return Text(f"{file.status} file ") + plain(file.path) + Text(": ") + plain(file.reason, 300)


def _reason(error: str | None) -> str:
    """What an outcome says of its error; that a table is missing needs no class name before it."""
    return (error or "").removeprefix("FileNotFoundError: ")


def _dry_run(console: Console, report: Report) -> None:
    for file in report.new_files:
        console.print(Text("would read  ") + plain(file.path) + Text(f" as {file.source}"))
    for stale in report.planned:
        console.print(Text(f"would build {stale.table}: {stale.why}"))
    console.print(f"{len(report.planned)} tables to build, {report.up_to_date} up to date; nothing was written")


def _explain_landing(console: Console, landing: str, landing_help: Sequence[str]) -> None:
    console.print(f"There is nothing to build yet: {landing} is empty or not there.", style="bold", highlight=False)
    console.print("Put into it, as they are:")
    _explain_files(console, landing_help)


def _explain_files(console: Console, landing_help: Sequence[str]) -> None:
    for line in landing_help:
        console.print(Text(line))
    console.print("then run this command again.")


def print_json(content: Any) -> None:
    """Print one JSON document to stdout."""
    try:
        json.dump(content, sys.stdout, ensure_ascii=False, indent=2, default=str)
        sys.stdout.write("\n")
        sys.stdout.flush()
    except BrokenPipeError:
        forget_stdout()
