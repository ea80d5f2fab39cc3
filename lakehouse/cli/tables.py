"""The command `tables`: the catalogue of all tables."""

from __future__ import annotations

import argparse
from itertools import groupby
from typing import Any

from rich.console import Console
from rich.text import Text

from lakehouse.cli.console import compact_grid, plain, print_json
from lakehouse.cli.options import SELECTOR
from lakehouse.declare.table import LAYERS, Table
from lakehouse.plan import graph
from lakehouse.settings import Settings
from lakehouse.storage import delta


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of `tables`."""
    parser.add_argument("selector", nargs="*", help=f"{SELECTOR} (default all)")


def call(settings: Settings, tables: dict[str, Table], options: argparse.Namespace, console: Console) -> int:
    """The catalogue: every declared table, or those selected, with grain, rows and version. Raises UnknownSelectorError."""
    chosen = graph.matching(tables, options.selector)
    catalogue: list[dict[str, Any]] = []
    for name in chosen:
        declared = tables[name]
        path = settings.dir / declared.layer / declared.short_name
        version = delta.version(path)
        rows = None if version is None else delta.row_total(path)
        about = declared.description.split("\n")[0]
        catalogue.append({"table": name, "grain": about, "key": list(declared.key), "rows": rows, "version": version})
    if options.json:
        print_json(catalogue)
        return 0
    widest = max(len(name) for name in chosen)
    room = max(console.width - widest - 13, 20)
    for category, members in groupby(sorted(catalogue, key=lambda r: _place(tables, r)), lambda r: tables[r["table"]].category):
        grid = compact_grid()
        grid.add_column(min_width=widest, no_wrap=True)
        grid.add_column(justify="right", min_width=9, no_wrap=True)
        grid.add_column(style="dim", no_wrap=True)
        for row in members:
            grid.add_row(row["table"], "-" if row["rows"] is None else f"{row['rows']:,}", plain(row["grain"], room))
        console.print(Text(category, style="bold"))
        console.print(grid, soft_wrap=False)
    console.print("rows per table (- if not built yet); `lakehouse show TABLE` shows rows", style="dim")
    return 0


def _place(tables: dict[str, Table], row: dict[str, Any]) -> tuple[int, str, str]:
    declared = tables[row["table"]]
    return LAYERS.index(declared.layer), declared.category, declared.name
