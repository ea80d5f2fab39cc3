"""The command `models`: what was trained, what is in use, and going back to an older one."""

from __future__ import annotations

import argparse
import datetime as dt
import difflib
from itertools import groupby
from typing import Any

from rich.console import Console
from rich.text import Text

from lakehouse.cli.console import compact_grid, print_json
from lakehouse.cli.errors import UsageError
from lakehouse.declare.table import Table
from lakehouse.settings import Settings
from lakehouse.storage.artifacts import is_stored
from lakehouse.storage.ledger import Ledger
from lakehouse.storage.lock import locked


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of `models`."""
    parser.add_argument("--use", metavar="ID", help="use this model instead of the current one of the same name")


def call(settings: Settings, tables: dict[str, Table], options: argparse.Namespace, console: Console) -> int:
    """Every trained model, or with `--use ID` put one to use. Raises UsageError for an id that is not there, LockedError."""
    ledger = Ledger(settings.dir)
    if options.use:
        with locked(settings.dir):
            _use(settings, ledger, options.use)
    trained = ledger.models()
    if options.json:
        print_json(trained)
        return 0
    if not trained:
        console.print(f"no model has been trained in {settings.dir} yet")
        return 0
    grid = compact_grid("model", "trained (UTC)", "")
    # An id has to be typed: it is never cut.
    widest = max(len(row["model_id"]) for row in trained)
    grid.columns[0].min_width = widest
    for _, versions in groupby(sorted(trained, key=lambda r: (r["model"], r["created_at"])), lambda r: r["model"]):
        for row in versions:
            mark = Text("in use", style="green") if row["is_current"] else Text("")
            grid.add_row(row["model_id"], f"{row['created_at']:%Y-%m-%d %H:%M:%S}", mark)
    console.print(grid, soft_wrap=False)
    console.print("`lakehouse models --use ID` switches to another model; the next run rebuilds what depends on it", style="dim")
    return 0


def _use(settings: Settings, ledger: Ledger, wanted: str) -> None:
    """Make `wanted` the model in use of its name; nothing happens where it is already."""
    known: dict[str, dict[str, Any]] = {row["model_id"]: row for row in ledger.models()}
    if wanted not in known:
        close = difflib.get_close_matches(wanted, known, 3, 0.4)
        hint = f"did you mean {' or '.join(close)}?" if close else "`lakehouse models` lists them"
        raise UsageError(f"there is no model {wanted!r}; {hint}")
    row = known[wanted]
    if not is_stored(settings.dir / row["path"]):
        raise UsageError(f"the artifact of {wanted} is missing: {settings.dir / row['path']}")
    if not row["is_current"]:
        now = dt.datetime.now(dt.timezone.utc)
        ledger.choose_model({**row, "chosen_at": now}, f"{now:%Y%m%dT%H%M%S.%f}Z-models")
