"""The commands that look at a lakehouse: status, tables, show, check."""

from __future__ import annotations

import argparse
import dataclasses
import datetime as dt
import sys
from typing import Any

import pyarrow.dataset as ds
from deltalake import DeltaTable
from rich.console import Console
from rich.table import Table as Grid
from rich.text import Text

from lakehouse import delta, graph, quality
from lakehouse.console import Quiet, plain, print_json
from lakehouse.engines import engine_for
from lakehouse.graph import UnknownSelectorError
from lakehouse.ledger import Ledger
from lakehouse.run import Run
from lakehouse.settings import Settings
from lakehouse.table import LINEAGE, Table

RUNS_SHOWN = 10


def status(settings: Settings, tables: dict[str, Table], options: argparse.Namespace, console: Console) -> int:
    """The last runs, and which tables a run would build now."""
    runs = Ledger(settings.dir).runs()[:RUNS_SHOWN]
    stale = Run(settings, tables, Quiet()).execute([], dry_run=True).planned if runs else []
    if options.json:
        print_json({"runs": runs, "stale": [dataclasses.asdict(s) for s in stale]})
        return 0
    if not runs:
        console.print(f"no run yet in {settings.dir}")
        return 0
    grid = Grid("run", "status", "seconds", "engine", "built", "unchanged", "up to date", "failed", "new rows")
    for run in runs:
        seconds = (run["finished_at"] - run["started_at"]).total_seconds() if run["finished_at"] else None
        counts = [f"{run[name]:,}" for name in ("built", "unchanged", "up_to_date", "failed", "new_rows")]
        grid.add_row(run["run_id"], run["status"], "" if seconds is None else f"{seconds:.1f}", run["engine"], *counts)
    console.print(grid)
    for table in stale:
        console.print(Text(f"stale: {table.table}: {table.why}", style="yellow"))
    console.print(f"{len(stale)} tables are stale" if stale else "every table is up to date")
    return 0


def tables(settings: Settings, tables: dict[str, Table], options: argparse.Namespace, console: Console) -> int:
    """The catalogue: every declared table with its grain, rows and version."""
    found: list[dict[str, Any]] = []
    for name, declared in tables.items():
        path = settings.dir / declared.layer / declared.short_name
        version = delta.version(path)
        rows = None if version is None else delta.row_total(path)
        about = declared.description.split("\n")[0]
        found.append({"table": name, "grain": about, "key": list(declared.key), "rows": rows, "version": version})
    if options.json:
        print_json(found)
        return 0
    grid = Grid("table", "rows", "version", "grain")
    for row in found:
        grid.add_row(row["table"], "" if row["rows"] is None else f"{row['rows']:,}", plain(row["version"]), plain(row["grain"]))
    console.print(grid)
    return 0


def show(settings: Settings, tables: dict[str, Table], options: argparse.Namespace, console: Console) -> int:
    """The first rows of a table, in the order of its key."""
    declared = tables.get(options.table) or next((t for t in tables.values() if t.short_name == options.table), None)
    if declared is None:
        raise UnknownSelectorError(f"there is no table {options.table!r}; `run_pipeline.py tables` lists them")
    path = settings.dir / declared.layer / declared.short_name
    if delta.version(path) is None:
        sys.stderr.write(f"{declared.name} has not been built yet in {settings.dir}\n")
        return 1
    columns = [c.name for c in declared.columns if c.name not in LINEAGE]
    where = ds.field("user_id") == options.user if options.user and "user_id" in columns else None
    rows = DeltaTable(path).to_pyarrow_dataset().to_table(columns=columns, filter=where)
    rows = rows.sort_by([(key, "ascending") for key in declared.key]).slice(0, max(options.limit, 0))
    if options.json:
        print_json(rows.to_pylist())
        return 0
    # Hashes say least to a person, so they come last.
    shown = _fitting(
        sorted(columns, key=lambda name: name != "user_id" and name.endswith(("_key", "_hash", "_id"))), console.width
    )
    grid = Grid(*shown, title=declared.name, title_justify="left")
    for row in rows.to_pylist():
        grid.add_row(*[plain(row[name], 40) for name in shown])
    console.print(grid)
    if hidden := [name for name in columns if name not in shown]:
        console.print(f"not shown for want of room: {', '.join(hidden)} (use --json)", style="dim")
    return 0


def _fitting(columns: list[str], width: int) -> list[str]:
    """As many columns from the left as fit a terminal of that width, a key's worth at least."""
    room = width
    shown: list[str] = []
    for name in columns:
        room -= max(len(name), 10) + 3
        if room < 0 and len(shown) > 3:
            break
        shown.append(name)
    return shown


def check(settings: Settings, tables: dict[str, Table], options: argparse.Namespace, console: Console) -> int:
    """Evaluate the rules of the selected tables as they stand; exit code 1 when a FAIL rule is broken."""
    names = {n for n, t in tables.items() for s in options.only if s in (n, t.layer, t.category, t.short_name)}
    chosen = [n for n in tables if n in names] if options.only else list(tables)
    if options.only and not names:
        graph.select(tables, options.only)
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
                u: read.load(str(settings.dir / tables[u].layer / tables[u].short_name)) for u in graph.upstream_names(declared)
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
