"""What a person reads after a run: rows, tables, models, files, problems, and what to look at next."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table as Grid
from rich.text import Text

from lakehouse.cli.console import plain, reason
from lakehouse.cli.here import is_elsewhere, landing_shown, near, program
from lakehouse.cli.places import is_default
from lakehouse.cli.product import Announcement, Product
from lakehouse.run.report import Rejected, Report
from lakehouse.settings import Settings
from lakehouse.storage.held import HeldKey
from lakehouse.storage.landed_files import LandedFile

STATUSES = ("built", "unchanged", "up to date", "not built", "failed", "refused", "blocked")
MODEL_STATUSES = {
    "built": "trained",
    "unchanged": "retrained with the same result",
    "up to date": "kept (not enough new data)",
}
SHOWN = 20
SLOWEST = 5
DEMO_STYLE = "bold reverse yellow"


def announce_demo(console: Console, content: str, landing: Path, lakehouse: Path) -> None:
    """Say before anything is built that it is the demo, and why."""
    console.print(Text("*** DEMO *** Demo data: every play is synthetic.", style=DEMO_STYLE))
    console.print(Text(f"{landing_shown(landing)} is empty or does not exist, so this run builds a demo: {content}."))
    console.print(Text(f"The demo has its own lakehouse, {near(lakehouse)}. Use --no-demo to build nothing instead.\n"))


def conclude_demo(console: Console, content: str, landing: Path, landing_help: Sequence[str]) -> None:
    """Say once more, last, that it was the demo, and how to put in one's own data."""
    console.print(Text(f"\n*** DEMO *** This was the demo: {content}.", style=DEMO_STYLE))
    where = f"{landing_shown(landing)}, unchanged (create the folder if needed)"
    console.print(Text(f"To see your own listening, put these files into {where}:"))
    _explain_files(console, landing_help)


def summarise(console: Console, report: Report, settings: Settings, product: Product, *, is_demo: bool = False) -> None:
    """Print what a run did: rows, tables, files, problems, and what to look at next."""
    if report.is_empty:
        _explain_landing(console, landing_shown(settings.landing), product.landing_help)
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
    table_counts = ", ".join(f"{counts[status]} {status}" for status in STATUSES if counts[status])
    engine = f"engine {report.engine} ({report.engine_reason})" if report.outcomes else "no engine started (nothing new)"
    console.print(Text(f"tables: {table_counts}", style="bold") + Text(f"  in {report.seconds:.1f} s, {engine}"))
    if trained := of_models[True]:
        model_counts = ", ".join(f"{number} {MODEL_STATUSES.get(status, status)}" for status, number in sorted(trained.items()))
        console.print(Text(f"models: {model_counts}", style="bold"))
    if report.described_anew:
        console.print(Text(f"comments updated: {_listed(report.described_anew)}", style="bold"))
    slow = sorted((o for o in report.outcomes if o.status == "built"), key=lambda o: -o.seconds)[:SLOWEST]
    if slow:
        console.print(Text("slowest: " + ", ".join(f"{o.table} {o.seconds:.1f} s" for o in slow), style="dim"))
    for line in _ignored(report.ignored):
        console.print(line)
    if report.passed_over:
        # Their names are not shown: what is printed may be kept in a log.
        lifted = "`lakehouse forget --lift NAME` lets them in again"
        files = _count(report.passed_over, "file")
        console.print(Text(f"passed over: of listeners who were forgotten: {files}; {lifted}", style="dim"))
    _problems(console, report)
    if report.exit_code == 0:
        place = "" if is_default(product, settings.dir) else f" --lakehouse {shlex.quote(near(settings.dir))}"
        first = product.next_elsewhere if is_elsewhere() else [f"{command}{place}" for command in product.next_commands]
        console.print(Text("next:", style="bold"))
        for words in (*first, f"tables{place}", f"status{place}"):
            console.print(Text(f"  {program()} {words}", style="cyan"))
    console.print(f"lakehouse: {near(settings.dir)}", style="dim", highlight=False)


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - SLOWEST} more tables" if len(names) > SLOWEST else ""
    return ", ".join(names[:SLOWEST]) + more


def announce(console: Console, said: Announcement | None) -> None:
    """What a hook says after a run."""
    if said is None:
        return
    for line in said.lines:
        console.print(plain(line, 400))
    for warning in said.warnings:
        console.print(Text("warning: ", style="yellow") + plain(warning, 400))


def _reconciliation(rows: Iterable[Mapping[str, Any]]) -> Grid:
    rows = list(rows)
    held = tuple(name for name in ("held_back", "forgotten") if any(row.get(name) for row in rows))
    names = ("bronze", "kept", "duplicate", "quarantined", "set_aside", *held)
    grid = Grid(title="Every row accounted for", title_justify="left", box=SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False)
    grid.add_column("source")
    for name in ("files", "rows in", *names[1:]):
        grid.add_column("held" if name == "held_back" else name.replace("_", " "), justify="right")
    totals: dict[str, Counter[str]] = {}
    for row in rows:
        total = totals.setdefault(str(row["source"]), Counter())
        total.update({name: row[name] or 0 for name in names})
        total["bronze"] += row.get("forgotten") or 0
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
        Text(f"{o.status}: {o.table}: ") + plain(reason(o.error), 400)
        for o in report.outcomes
        if o.status in ("failed", "refused")
    ]
    if blocked := [o.table for o in report.outcomes if o.status == "blocked"]:
        errors.append(Text(f"blocked: {len(blocked)} tables that depend on them: ") + plain(", ".join(blocked), 600))
    rejected = {True: [one for one in report.rejected if one.is_failure], False: [r for r in report.rejected if not r.is_failure]}
    errors += [*held_lines(report.held), *[Text("error: ") + _rejected_line(one) for one in rejected[True]]]
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
    killed = [Text(f"warning: run {run_id} was killed; this run completed its unfinished work") for run_id in report.killed]
    warnings = not_built + _cut(checks, "rules; see ops.qa_validation_results")
    warnings += [Text("warning: ") + _rejected_line(one) for one in rejected[False]]
    _block(console, "Warnings", "yellow", warnings + _cut(known, "files; see ops.ingestion_state") + killed)


def held_lines(held: Iterable[HeldKey]) -> list[Text]:
    """One line per table of which listeners are held back: who, since when, and by which rules."""
    by_table: dict[str, list[HeldKey]] = {}
    for key in held:
        by_table.setdefault(key.table_name, []).append(key)
    return [_held_line(name, keys) for name, keys in sorted(by_table.items())]


def _held_line(name: str, keys: Sequence[HeldKey]) -> Text:
    listeners = sorted({key.user_id for key in keys})
    violations = Counter[str]()
    for key in keys:
        violations[key.rule] += key.violations
    broken = ", ".join(f"{rule} ({_count(number, 'row')})" for rule, number in sorted(violations.items()))
    since = min(key.since for key in keys)
    stays = "stays" if len(listeners) == 1 else "stay"
    more = f" and {len(listeners) - SLOWEST:,} more, see ops.held_keys" if len(listeners) > SLOWEST else ""
    named = Text(", ").join([plain(listener, 60) for listener in listeners[:SLOWEST]])
    head = Text(f"held back: {name}: {_count(len(listeners), 'listener')} {stays} as before (") + named
    return head + Text(f"{more}) until the rows pass: ") + plain(broken, 300) + Text(f"; since {since:%Y-%m-%d %H:%M} UTC")


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}{'s' if number != 1 else ''}"


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


def _rejected_line(one: Rejected) -> Text:
    if not one.rejected:
        return plain(one.path) + Text(": ") + plain(one.because, 600)
    return (
        Text(f"{one.rejected:,} of {one.rows:,} rows of ") + plain(one.path) + Text(" are not used: ") + plain(one.because, 600)
    )


def _ignored(files: Sequence[LandedFile]) -> list[Text]:
    """A line per reason why files were passed over."""
    counts = Counter(str(file.reason) for file in files)
    return [Text(f"passed over: {plain(why).plain}: {number:,} files", style="dim") for why, number in sorted(counts.items())]


def _dry_run(console: Console, report: Report) -> None:
    for file in report.new_files:
        console.print(Text("would read  ") + plain(file.path) + Text(f" as {file.source}"))
    for stale in report.planned:
        console.print(Text(f"would build {stale.table}: {stale.why}"))
    for name in report.described_anew:
        console.print(Text(f"would update the comments of {name}"))
    console.print(f"{len(report.planned)} tables to build, {report.up_to_date} up to date; nothing was written")


def _explain_landing(console: Console, landing: str, landing_help: Sequence[str]) -> None:
    console.print(f"There is nothing to build yet: {landing} is empty or does not exist.", style="bold", highlight=False)
    console.print("Put these files into it, unchanged:")
    _explain_files(console, landing_help)


def _explain_files(console: Console, landing_help: Sequence[str]) -> None:
    for line in landing_help:
        console.print(Text(line))
    console.print(Text(f"Then run `{program()} run`.") if is_elsewhere() else "Then run this command again.")
