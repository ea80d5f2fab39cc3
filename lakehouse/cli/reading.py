"""Calling a command that reads a lakehouse."""

from __future__ import annotations

import shlex
import sys
from argparse import Namespace
from collections.abc import Callable

from rich.console import Console

from lakehouse.cli import demo
from lakehouse.cli.console import Terminal, plain
from lakehouse.cli.here import near
from lakehouse.cli.places import settings_for_reading
from lakehouse.cli.product import Product
from lakehouse.declare.table import Table
from lakehouse.plan import graph
from lakehouse.settings import Settings
from lakehouse.storage.lakehouse import Lakehouse

Call = Callable[[Settings, dict[str, Table], Namespace, Console], int]


def read(product: Product, call: Call, options: Namespace) -> int:
    """Call a reading command with the lakehouse it is about; returns its exit code."""
    settings = settings_for_reading(product, options)
    Lakehouse(settings.dir).check_format()
    if demo.is_demo(settings.dir):
        settings = demo.settings_for(settings, settings.dir)
    tables = {name: table for name, table in graph.load().items() if not table.is_model}
    _point_to_demo(settings, tables)
    console = Terminal()
    options.product = product
    code = call(settings, tables, options, console)
    if product.note is not None and options.command == "show" and code == 0 and not options.json:
        from lakehouse.cli.show import named_table

        _print_note(product.note(settings, named_table(tables, options.table), options.user), console)
    return code


def _print_note(note: str | None, console: Console) -> None:
    if note is not None:
        console.print(plain(note, 400), style="dim")


def _point_to_demo(settings: Settings, tables: dict[str, Table]) -> None:
    """Say where the demo is to a person who looks for it in a lakehouse that holds nothing."""
    place = demo.place_of(settings.dir)
    if place != settings.dir and demo.is_demo(place) and not demo.has_rows(settings.dir, tables):
        sys.stderr.write(f"note: {near(settings.dir)} is still empty; for the demo, add --lakehouse {shlex.quote(near(place))}\n")
