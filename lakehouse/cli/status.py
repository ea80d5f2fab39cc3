"""The command `status`: the last runs, who is held back, what the product adds, and what a run would build now."""

from __future__ import annotations

import argparse
import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.text import Text

from lakehouse.cli.console import Quiet, compact_grid, plain, print_json
from lakehouse.cli.options import add_landing
from lakehouse.cli.product import Announcement, Product
from lakehouse.cli.summary import announce, held_lines
from lakehouse.declare.table import Table
from lakehouse.plan import graph
from lakehouse.run.run import run_pipeline
from lakehouse.settings import Settings
from lakehouse.storage.ledger import Ledger

RUNS_SHOWN = 10


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of `status`."""
    add_landing(parser, default="the one that the lakehouse was built from")


def call(settings: Settings, tables: dict[str, Table], options: argparse.Namespace, console: Console) -> int:
    """The last runs, which listeners are held back, and which tables a run would build now."""
    product: Product = options.product
    said = product.status(settings) if product.status is not None else Announcement()
    ledger = Ledger(settings.dir)
    runs, held = ledger.runs()[:RUNS_SHOWN], ledger.held()
    stale = run_pipeline(settings, graph.load(), Quiet(), dry_run=True).planned if runs else []
    if options.json:
        stale_tables, held_keys = ([dataclasses.asdict(one) for one in rows] for rows in (stale, held))
        print_json({"runs": runs, "stale": stale_tables, "held": held_keys} | (said.data or {}))
        return 0
    if runs:
        _print_runs(console, runs)
    else:
        console.print(f"there has been no run in {settings.dir} yet")
    for line in held_lines(held):
        console.print(Text("", style="red") + line)
    announce(console, said)
    for table in stale:
        console.print(Text(f"stale: {table.table}: {table.why}", style="yellow"))
    if runs:
        console.print(f"{len(stale)} tables are stale" if stale else "every table is up to date")
    return 0


def _print_runs(console: Console, runs: Sequence[Mapping[str, Any]]) -> None:
    grid = compact_grid("started (UTC)", "status", "engine")
    for name in ("seconds", "built", "same", "failed", "new rows"):
        grid.add_column(name, justify="right", no_wrap=True)
    for run in runs:
        seconds = (run["finished_at"] - run["started_at"]).total_seconds() if run["finished_at"] else None
        counts = [run["built"], run["unchanged"] + run["up_to_date"], run["failed"], run["new_rows"]]
        engine = str(run["engine"] or "").split(" (")[0]
        cells = [f"{run['started_at']:%Y-%m-%d %H:%M}", run["status"], engine, "" if seconds is None else f"{seconds:.1f}"]
        grid.add_row(*[plain(text, 24) for text in cells], *[f"{count:,}" for count in counts])
    console.print(grid, soft_wrap=False)
    console.print("same: up to date, or rebuilt with the same content", style="dim")
