"""The command `check`: the quality rules, evaluated on the tables as they are."""

from __future__ import annotations

import argparse
import dataclasses
import datetime as dt
from typing import Any

from rich.console import Console
from rich.text import Text

from lakehouse.build import quality
from lakehouse.cli.console import plain, print_json
from lakehouse.cli.options import SELECTOR, add_engine
from lakehouse.cli.summary import held_lines
from lakehouse.declare.table import Table
from lakehouse.engine.choice import engine_for
from lakehouse.plan import graph
from lakehouse.settings import Settings
from lakehouse.storage import delta
from lakehouse.storage.ledger import Ledger


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of `check`."""
    parser.add_argument("--only", action="append", default=[], metavar="SELECTOR", help=f"{SELECTOR}; may be repeated")
    add_engine(parser)


def call(settings: Settings, tables: dict[str, Table], options: argparse.Namespace, console: Console) -> int:
    """Evaluate the rules of the selected tables as they stand; exit code 1 when a FAIL rule is broken."""
    chosen = graph.matching(tables, options.only)
    if not (settings.dir / "bronze").is_dir():
        raise FileNotFoundError(f"there is no lakehouse in {settings.dir}; `lakehouse run` builds one")
    engine, _ = engine_for(settings)
    now = dt.datetime.now(dt.timezone.utc)
    results: list[dict[str, Any]] = []
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
            evaluated = quality.evaluate(declared, read.load(str(path)), references, now, None)
            results += [{"table": name, **dataclasses.asdict(result)} for result in evaluated]
    finally:
        engine.stop()
    if options.json:
        print_json(results)
    else:
        for result in results:
            if result["status"] != "PASS":
                style = "red" if result["status"] == "FAIL" else "yellow"
                counts = f"{result['violations']:,} of {result['rows']:,}"
                console.print(
                    Text(f"{result['status']} {result['table']}: {result['rule']}: {counts} ", style=style)
                    + plain(result["detail"])
                )
        # Their earlier rows are judged above; the rows that break a rule were not published.
        for line in held_lines(key for key in Ledger(settings.dir).held() if key.table_name in chosen):
            console.print(Text("", style="yellow") + line)
        passed = sum(result["status"] == "PASS" for result in results)
        console.print(f"{len(results)} rules evaluated, {passed} passed")
    return 1 if any(result["status"] == "FAIL" for result in results) else 0
