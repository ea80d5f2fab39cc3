"""The commands that look at a whole lakehouse: status, tables, check."""

from __future__ import annotations

import argparse
import dataclasses
import datetime as dt
from itertools import groupby
from typing import Any

from rich.console import Console
from rich.text import Text

from lakehouse.build import quality
from lakehouse.cli.console import Quiet, compact_grid, plain, print_json
from lakehouse.declare.table import LAYERS, Table
from lakehouse.engine.choice import engine_for
from lakehouse.plan import graph
from lakehouse.run.run import run_pipeline
from lakehouse.settings import Settings
from lakehouse.storage import delta
from lakehouse.storage.ledger import Ledger

RUNS_SHOWN = 10


def status(settings: Settings, tables: dict[str, Table], options: argparse.Namespace, console: Console) -> int:
    """The last runs, and which tables a run would build now."""
    runs = Ledger(settings.dir).runs()[:RUNS_SHOWN]
    stale = run_pipeline(settings, graph.load(), Quiet(), dry_run=True).planned if runs else []
    if options.json:
        print_json({"runs": runs, "stale": [dataclasses.asdict(s) for s in stale]})
        return 0
    if not runs:
        console.print(f"no run yet in {settings.dir}")
        return 0
    grid = compact_grid("started (UTC)", "status", "engine")
    for name in ("seconds", "built", "same", "failed", "new rows"):
        grid.add_column(name, justify="right", no_wrap=True)
    for run in runs:
        seconds = (run["finished_at"] - run["started_at"]).total_seconds() if run["finished_at"] else None
        counts = [run["built"], run["unchanged"] + run["up_to_date"], run["failed"], run["new_rows"]]
        engine = str(run["engine"] or "").split(" (")[0]
        told = [f"{run['started_at']:%Y-%m-%d %H:%M}", run["status"], engine, "" if seconds is None else f"{seconds:.1f}"]
        grid.add_row(*[plain(text, 24) for text in told], *[f"{count:,}" for count in counts])
    console.print(grid, soft_wrap=False)
    console.print("same: tables that were up to date, or came out the same", style="dim")
    for table in stale:
        console.print(Text(f"stale: {table.table}: {table.why}", style="yellow"))
    console.print(f"{len(stale)} tables are stale" if stale else "every table is up to date")
    return 0


def tables(settings: Settings, tables: dict[str, Table], options: argparse.Namespace, console: Console) -> int:
    """The catalogue: every declared table, or those selected, with grain, rows and version. Raises UnknownSelectorError."""
    chosen = graph.matching(tables, options.selector)
    found: list[dict[str, Any]] = []
    for name in chosen:
        declared = tables[name]
        path = settings.dir / declared.layer / declared.short_name
        version = delta.version(path)
        rows = None if version is None else delta.row_total(path)
        about = declared.description.split("\n")[0]
        found.append({"table": name, "grain": about, "key": list(declared.key), "rows": rows, "version": version})
    if options.json:
        print_json(found)
        return 0
    widest = max(len(name) for name in chosen)
    room = max(console.width - widest - 13, 20)
    for category, members in groupby(sorted(found, key=lambda r: _place(tables, r)), lambda r: tables[r["table"]].category):
        grid = compact_grid()
        grid.add_column(min_width=widest, no_wrap=True)
        grid.add_column(justify="right", min_width=9, no_wrap=True)
        grid.add_column(style="dim", no_wrap=True)
        for row in members:
            grid.add_row(row["table"], "-" if row["rows"] is None else f"{row['rows']:,}", plain(row["grain"], room))
        console.print(Text(category, style="bold"))
        console.print(grid, soft_wrap=False)
    console.print("rows; - is not built yet. `show TABLE` shows rows, `tables --json` keys", style="dim")
    return 0


def _place(tables: dict[str, Table], row: dict[str, Any]) -> tuple[int, str, str]:
    declared = tables[row["table"]]
    return LAYERS.index(declared.layer), declared.category, declared.name


def check(settings: Settings, tables: dict[str, Table], options: argparse.Namespace, console: Console) -> int:
    """Evaluate the rules of the selected tables as they stand; exit code 1 when a FAIL rule is broken."""
    chosen = graph.matching(tables, options.only)
    if not (settings.dir / "bronze").is_dir():
        raise FileNotFoundError(2, "there is no lakehouse here", str(settings.dir))
    engine, _ = engine_for(settings)
    now = dt.datetime.now(dt.timezone.utc)
    found: list[dict[str, Any]] = []
    try:
        for name in chosen:
            declared = tables[name]
            path = settings.dir / declared.layer / declared.short_name
            if declared.transform is None or delta.version(path) is None:
                continue
            read = engine.session().read.format("delta")
            references = {
                u: read.load(str(settings.dir / tables[u].layer / tables[u].short_name))
                for u in graph.upstream_names(declared)
                if u in tables
            }
            results = quality.evaluate(declared, read.load(str(path)), references, now, None)
            found += [{"table": name, **dataclasses.asdict(result)} for result in results]
    finally:
        engine.stop()
    if options.json:
        print_json(found)
    else:
        for result in found:
            if result["status"] != "PASS":
                style = "red" if result["status"] == "FAIL" else "yellow"
                counts = f"{result['violations']:,} of {result['rows']:,}"
                console.print(
                    Text(f"{result['status']} {result['table']}: {result['rule']}: {counts} ", style=style)
                    + plain(result["detail"])
                )
        passed = sum(result["status"] == "PASS" for result in found)
        console.print(f"{len(found)} rules evaluated, {passed} passed")
    return 1 if any(result["status"] == "FAIL" for result in found) else 0
