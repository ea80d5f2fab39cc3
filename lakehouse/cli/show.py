"""The command `show`: rows of a table as a person reads them, as a grid, or as names and values where a grid has no room."""

from __future__ import annotations

import argparse
import difflib
import sys
from collections.abc import Mapping
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
from rich.console import Console
from rich.text import Text

from lakehouse.cli.console import compact_grid, plain, print_json
from lakehouse.cli.here import typed
from lakehouse.cli.options import positive
from lakehouse.declare.column import Column
from lakehouse.declare.table import LINEAGE, Table
from lakehouse.plan.graph import UnknownSelectorError
from lakehouse.settings import Settings
from lakehouse.storage import delta

LISTENER = "user_id"
CELL = 40
# What tells rows apart is cut later.
KEY_CELL = 60
LONG_CELL = 400
LISTENERS_NAMED = 5
# Hashes say least to a person, so they come last.
HASHES = ("_key", "_hash", "_id")
# A row of more columns than a terminal has room for reads better as names and values; several such rows do not.
MOST_UPRIGHT = 3
# Names in a key may take a third of the width before they give way to figures; then a quarter each.
KEYS_OF_WIDTH, FOLDED_OF_WIDTH = 3, 4


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of `show`."""
    parser.add_argument("table", metavar="TABLE", help="LAYER.TABLE, or just TABLE")
    parser.add_argument("--limit", type=positive, default=20, metavar="N", help="rows to show (default 20)")
    parser.add_argument("--columns", metavar="A,B", help="columns to show, in this order (default: those that fit)")
    parser.add_argument("--user", metavar="NAME", help="only rows of this listener")


def call(settings: Settings, tables: dict[str, Table], options: argparse.Namespace, console: Console) -> int:
    """The first rows of a table in the order of its key, dates and years from the newest.

    Raises UnknownSelectorError for a table or column that is not there. Returns 1 when the table has not been built.
    """
    declared = named_table(tables, options.table)
    chosen = _chosen(declared, options.columns)
    path = settings.dir / declared.layer / declared.short_name
    if delta.version(path) is None:
        sys.stderr.write(typed(f"{declared.name} has not been built in {settings.dir} yet; `lakehouse run` builds it\n"))
        return 1
    rows = _rows(declared, delta.dataset(path), options.user)
    shown = rows.slice(0, max(options.limit, 0))
    if options.json:
        print_json(shown.select(chosen).to_pylist())
    elif not rows.num_rows:
        console.print(_nothing(declared, path, options.user))
    else:
        _print(console, declared, shown, chosen, total=rows.num_rows, is_asked=bool(options.columns))
    return 0


def named_table(tables: Mapping[str, Table], name: str) -> Table:
    """The table LAYER.TABLE, or just TABLE. Raises UnknownSelectorError."""
    declared = tables.get(name) or next((table for table in tables.values() if table.short_name == name), None)
    if declared is None:
        raise UnknownSelectorError(f"there is no table {name!r}; `lakehouse tables` lists them")
    return declared


def _chosen(declared: Table, asked: str | None) -> list[str]:
    names = [c.name for c in declared.columns if c.name not in LINEAGE]
    if not asked:
        return names
    wanted = [name.strip() for name in asked.split(",") if name.strip()]
    for name in wanted:
        if name not in names:
            close = difflib.get_close_matches(name, names, 3, 0.5)
            raise UnknownSelectorError(f"{declared.name} has no column {name!r}; it has {', '.join(close or names)}")
    return wanted


def _rows(declared: Table, dataset: ds.Dataset, listener: str | None) -> pa.Table:
    """The table's rows (of the listener) in the order to show them."""
    columns = [c.name for c in declared.columns if c.name not in LINEAGE]
    where = ds.field(LISTENER) == listener if listener and LISTENER in columns else None
    by_name = {c.name: c for c in declared.columns}
    # Where places in a list are unique, people look for the first.
    ranks = next((rule.columns for rule in declared.rules if rule.kind == "unique" and "rank" in rule.columns), declared.key)
    order = [(key, "descending" if _is_time(by_name[key]) else "ascending") for key in ranks]
    return dataset.to_table(columns=columns, filter=where).sort_by(order)


def _is_time(column: Column) -> bool:
    return column.type in ("date", "timestamp") or column.name == "year"


def _nothing(declared: Table, path: Any, listener: str | None) -> Text:
    names = [c.name for c in declared.columns]
    if not listener or LISTENER not in names:
        return Text(f"{declared.name} was built and has no rows")
    column = delta.dataset(path).to_table(columns=[LISTENER]).column(LISTENER)
    user_ids = sorted(value for value in pc.unique(column).to_pylist() if value is not None)
    named = Text(", ").join(plain(name, CELL) for name in user_ids[:LISTENERS_NAMED])
    more = f" and {len(user_ids) - LISTENERS_NAMED:,} more" if len(user_ids) > LISTENERS_NAMED else ""
    listeners = Text("; it has rows for ") + named + Text(more) if user_ids else Text("; it is empty")
    return Text(f"{declared.name} has no rows for listener ") + plain(repr(listener), CELL) + listeners


def _print(console: Console, declared: Table, rows: pa.Table, chosen: list[str], *, total: int, is_asked: bool) -> None:
    """A grid of the columns that fit; names and values when the rows are few and do not fit."""
    values = rows.select(chosen).to_pylist()
    listener = None
    if not is_asked and chosen[0] == LISTENER and len(listeners := {row[LISTENER] for row in values}) == 1:
        listener, chosen = listeners.pop(), chosen[1:]
    ordered = chosen if is_asked else sorted(chosen, key=lambda name: name != LISTENER and name.endswith(HASHES))
    types = {c.name: c.type for c in declared.columns}
    lengths = {name: LONG_CELL if is_asked else KEY_CELL if name in declared.key else CELL for name in ordered}
    cells = {name: [_cell(row[name], types[name], lengths[name]) for row in values] for name in ordered}
    title = Text(declared.name, style="bold")
    if listener is not None:
        title += Text(", listener ") + plain(listener, CELL)
    console.print(title)
    fitting = _fitting(cells, console.width)
    if is_asked and len(fitting) < len(ordered):
        _one_by_one(console, cells, len(values))
    elif len(values) <= MOST_UPRIGHT and len(fitting) < len(ordered):
        _upright(console, cells, len(values), {c.name: c.comment for c in declared.columns})
    else:
        fitting, widest = (fitting, LONG_CELL) if is_asked else _with_figures(declared, cells, fitting, console.width)
        _grid(console, {name: cells[name] for name in fitting}, types, widest)
        if hidden := [name for name in ordered if name not in fitting]:
            console.print(Text(f"more columns (--columns A,B or --json): {', '.join(hidden)}", style="dim"), soft_wrap=False)
    if total > len(values):
        console.print(Text(f"{len(values):,} of {total:,} rows (--limit N)", style="dim"))


def _cell(value: Any, kind: str, length: int) -> Text:
    if isinstance(value, float):
        return Text(f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}")
    if kind == "bigint" and value is not None:
        return Text(f"{value:,}")
    if isinstance(value, list):
        return plain(", ".join(str(part) for part in value), length)
    return plain(value.strftime("%Y-%m-%d %H:%M:%S") if hasattr(value, "hour") else value, length)


def _with_figures(declared: Table, cells: dict[str, list[Text]], fitting: list[str], width: int) -> tuple[list[str], int]:
    """The columns of a grid, and how wide one may be before its cells are folded.

    Where a key's names leave no room for any figure, they are folded and the figures come next to them; a hash in the key is
    told by the name that goes with it (model_id by model_name).
    """
    figures = [c.name for c in declared.columns if c.type == "double" and c.name in cells]
    named = [name if (name := f"{key.removesuffix('_id')}_name") in cells else key for key in declared.key]
    keys = [name for name in dict.fromkeys(named) if name in cells and not name.endswith(HASHES)]
    taken = sum(_width(name, cells[name], KEY_CELL) for name in keys)
    if not figures or set(figures) & set(fitting) or taken * KEYS_OF_WIDTH <= width:
        return fitting, KEY_CELL
    order = dict.fromkeys([*keys, *figures, *cells])
    return _fitting({name: cells[name] for name in order}, width, width // FOLDED_OF_WIDTH), width // FOLDED_OF_WIDTH


def _width(name: str, column: list[Text], widest: int) -> int:
    return max(len(name), min(max(text.cell_len for text in column), widest)) + 2


def _fitting(cells: dict[str, list[Text]], width: int, widest: int = LONG_CELL) -> list[str]:
    """As many columns from the left as fit a terminal of that width, one at least."""
    shown: list[str] = []
    for name, column in cells.items():
        width -= _width(name, column, widest)
        if width < 0 and shown:
            break
        shown.append(name)
    return shown


def _grid(console: Console, cells: dict[str, list[Text]], types: dict[str, str], widest: int) -> None:
    grid = compact_grid(*cells)
    for column in grid.columns:
        column.max_width, column.no_wrap, column.overflow = max(widest, len(str(column.header))), widest >= CELL, "fold"
        column.justify = "right" if types[str(column.header)] in ("int", "bigint", "double") else "left"
    for row in zip(*cells.values(), strict=True):
        grid.add_row(*row)
    console.print(grid, soft_wrap=False)


def _one_by_one(console: Console, cells: dict[str, list[Text]], rows: int) -> None:
    """A block a row, a line a column: what was asked for by name is shown whole."""
    for row in range(rows):
        grid = compact_grid()
        grid.add_column(style="dim", no_wrap=True)
        grid.add_column(overflow="fold")
        for name, column in cells.items():
            grid.add_row(name, column[row])
        console.print(grid, soft_wrap=False)
        console.print()


def _upright(console: Console, cells: dict[str, list[Text]], rows: int, comments: dict[str, str]) -> None:
    """A line a column; one row alone leaves room for what the column means."""
    grid = compact_grid()
    grid.add_column(no_wrap=True)
    for _ in range(rows):
        grid.add_column(overflow="fold")
    if rows > 1:
        for name, column in cells.items():
            grid.add_row(name, *column)
    else:
        grid.add_column(style="dim", no_wrap=True)
        room = console.width - max(map(len, cells)) - max(column[0].cell_len for column in cells.values()) - 4
        for name, column in cells.items():
            grid.add_row(name, *column, plain(comments[name], max(room, 10)))
    console.print(grid, soft_wrap=False)
