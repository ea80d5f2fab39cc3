"""Commands, options, exit codes: 0 all well, 1 something failed, 2 wrong usage or configuration, 3 another run holds the lock."""

from __future__ import annotations

import argparse
import dataclasses
import importlib
import os
import shlex
from collections.abc import Callable, Sequence
from typing import Any

import pyarrow as pa
from deltalake.exceptions import DeltaError
from pydantic import ValidationError
from pydantic_settings import SettingsError
from rich.console import Console
from rich.text import Text

from lakehouse.cli import demo as demos
from lakehouse.cli.console import (
    Live,
    Quiet,
    Terminal,
    announce,
    announce_demo,
    conclude_demo,
    near,
    print_json,
    summarise,
)
from lakehouse.cli.demo import DemoError
from lakehouse.cli.errors import FAILED, LOCKED, USAGE, UsageError
from lakehouse.cli.product import Announcement, Product
from lakehouse.declare.column import DeclarationError
from lakehouse.declare.table import Table
from lakehouse.engine.base import EngineError, first_line
from lakehouse.plan import graph
from lakehouse.plan.graph import UnknownSelectorError
from lakehouse.run.report import Observer, Report
from lakehouse.run.run import run_pipeline
from lakehouse.settings import Settings
from lakehouse.storage.lakehouse import NewerLakehouseError
from lakehouse.storage.lock import LockedError

Call = Callable[[Settings, dict[str, Table], argparse.Namespace, Console], int]
# Commands whose --user is the listener of unnamed files, a setting; elsewhere it chooses whose rows to look at.
BUILDING = ("run", "status")


def parser(product: Product) -> argparse.ArgumentParser:
    """All commands and their options, the kernel's and the product's."""
    top = argparse.ArgumentParser(prog="run_pipeline.py", description=product.description)
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")
    shared = argparse.ArgumentParser(add_help=False)
    shared.add_argument("--lakehouse", dest="dir", metavar="DIR", help="where the tables are (default data/lakehouse)")
    shared.add_argument("--json", action="store_true", help="print one JSON document instead of text")
    telling = argparse.ArgumentParser(add_help=False)
    telling.add_argument("--landing", metavar="DIR", help="where raw files arrive (default data/landing)")
    telling.add_argument("--engine", metavar="ENGINE", help="auto, embedded, spark or sc://host:port (default auto)")
    telling.add_argument("--user", metavar="NAME", help="listener of files outside landing/listeners/NAME (default me)")
    for option in product.run_options:
        telling.add_argument(f"--{option.setting}", metavar=option.metavar, help=option.help)
    building = argparse.ArgumentParser(add_help=False)
    building.add_argument("--full", action="store_true", help="rebuild the selected tables whole, and read changed files again")
    building.add_argument("--dry-run", action="store_true", help="say what would be read and built, and write nothing")
    run = commands.add_parser("run", parents=[shared, telling, building], help="read new files and build what is stale")
    run.add_argument(
        "--only",
        action="append",
        default=[],
        metavar="SELECTOR",
        help="a layer, a category (gold.diagnostic) or a table, with all it needs; may be repeated",
    )
    run.add_argument("--no-demo", action="store_true", help="with nothing in landing, build nothing instead of the demo")
    commands.add_parser("status", parents=[shared, telling], help="last runs, and which tables are stale")
    tables = commands.add_parser("tables", parents=[shared], help="tables with their rows and grain")
    tables.add_argument("selector", nargs="*", help="a layer, a category (gold.diagnostic) or a table (default all)")
    show = commands.add_parser("show", parents=[shared], help="rows of a table; where its key tells of time, the newest first")
    show.add_argument("table", help="layer.table, or just table")
    show.add_argument("--limit", type=_positive, default=20, metavar="N", help="rows to show (default 20)")
    show.add_argument("--columns", metavar="A,B", help="columns to show, in this order (default those that fit)")
    show.add_argument("--user", metavar="NAME", help="only rows of this listener")
    export = commands.add_parser("export", parents=[shared], help="tables as Parquet, CSV or one DuckDB file")
    export.add_argument("--format", required=True, choices=("parquet", "csv", "duckdb"), help="what to write")
    export.add_argument(
        "--table",
        action="append",
        default=[],
        metavar="SELECTOR",
        help="a layer, a category (gold.descriptive) or a table; may be repeated (default all of silver and gold)",
    )
    export.add_argument("--out", metavar="PATH", help="folder or file to write (default: export-FORMAT or lakehouse.duckdb here)")
    export.add_argument("--user", metavar="NAME", help="only this listener's rows; tables that name no listener stay whole")
    export.add_argument("--force", action="store_true", help="replace an earlier export at that place")
    export.add_argument("--raw", action="store_true", help="CSV: do not put an apostrophe before text like =1+1")
    check = commands.add_parser("check", parents=[shared], help="evaluate the quality rules on the tables as they are")
    check.add_argument("--only", action="append", default=[], metavar="SELECTOR", help="a layer, category or table")
    check.add_argument("--engine", metavar="ENGINE", help="auto, embedded, spark or sc://host:port")
    models = commands.add_parser("models", parents=[shared], help="trained models; go back to an older one")
    models.add_argument("--use", metavar="ID", help="put this model to use, in place of the one of its name that is")
    for command in product.commands:
        added = commands.add_parser(command.name, parents=[] if command.is_standalone else [shared], help=command.help)
        importlib.import_module(command.module).add_options(added)
    return top


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text} is not 1 or more")
    return int(text)


def settings_from(product: Product, options: argparse.Namespace) -> Settings:
    """Settings from the environment, overridden by the options that were given. Raises ValidationError."""
    names = ["dir", "landing", "engine", "user", *(option.setting for option in product.run_options)]
    given = {name: getattr(options, name) for name in names if getattr(options, name, None) is not None}
    if options.command not in BUILDING:
        given.pop("user", None)
    return product.settings()(**given)


def call_of(name: str, product: Product) -> Call:
    """The function behind a command other than `run`; its module is imported only now."""
    from lakehouse.cli import export, inspect_commands, show
    from lakehouse.cli import models as models_command

    own: dict[str, Call] = {
        "status": inspect_commands.status,
        "tables": inspect_commands.tables,
        "check": inspect_commands.check,
        "models": models_command.models,
        "show": show.show,
        "export": export.export,
    }
    return own[name] if name in own else _module(name, product).call


def _module(name: str, product: Product) -> Any:
    return importlib.import_module(next(command.module for command in product.commands if command.name == name))


def main(product: Product, arguments: Sequence[str] | None = None) -> int:
    """Run a command, one of the kernel's or of the product's; returns the exit code. Every error ends in one line on stderr."""
    options = parser(product).parse_args(arguments)
    errors = Console(stderr=True, highlight=False, soft_wrap=True)
    if any(command.name == options.command and command.is_standalone for command in product.commands):
        return int(_module(options.command, product).call(options))
    try:
        settings = settings_from(product, options)
        declared = graph.load()
        tables = {name: table for name, table in declared.items() if not table.is_model}
        if options.command == "run":
            return _run(product, settings, declared, options)
        if demos.is_demo(settings.dir):
            settings = demos.settings_for(settings, settings.dir)
        _point_to_demo(settings, tables, errors)
        return call_of(options.command, product)(settings, tables, options, Terminal())
    except ValidationError as error:
        for problem in error.errors():
            name = ".".join(str(part) for part in problem["loc"])
            errors.print(Text(f"error: {name}: {problem['msg'].removeprefix('Value error, ')}"))
        return USAGE
    except (UnknownSelectorError, DeclarationError, SettingsError, UsageError, DemoError, NewerLakehouseError) as error:
        errors.print(Text(f"error: {error}"))
        return USAGE
    except LockedError as error:
        errors.print(Text(f"error: {error}"))
        return LOCKED
    except KeyboardInterrupt:
        errors.print("stopped; what was published stays, the next run goes on from there")
        # Threads may still wait for an engine that the same signal stopped.
        os._exit(FAILED)
    except (OSError, EngineError, DeltaError, pa.ArrowException) as error:
        place = f": {error.filename}" if isinstance(error, OSError) and error.filename else ""
        reason = error.strerror if isinstance(error, OSError) and error.strerror else first_line(error)
        errors.print(Text(f"error: {reason}{place}"))
        return FAILED


def _run(product: Product, settings: Settings, tables: dict[str, Table], options: argparse.Namespace) -> int:
    console, own = Terminal(), settings.landing
    # Looked at in every case, as nobody's files may get into a demo's lakehouse.
    is_wanted = demos.is_wanted(settings, tables)
    shown = product.demo() if is_wanted and product.demo is not None and not options.no_demo else None
    if shown is not None:
        graph.select(tables, options.only)
        settings = demos.settings_for(settings, demos.place_of(settings.dir))
        if not options.json:
            announce_demo(console, shown.content, own, settings.dir)
        if not options.dry_run:
            demos.prepare(shown, settings.dir)
    if options.json:
        report = _pipeline(product, settings, tables, Quiet(), options)
        hooks = _after_run(product, settings, tables, report)
        print_json(
            as_json(report)
            | {"demo": shown is not None, "lakehouse": str(settings.dir)}
            | {name: said and said.data for name, said in hooks.items()}
        )
        return report.exit_code
    with Live(console) as live:
        report = _pipeline(product, settings, tables, live, options)
    hooks = _after_run(product, settings, tables, report)
    summarise(console, report, settings, product, is_demo=shown is not None)
    if shown is None and report.new_files and demos.is_demo(place := demos.place_of(settings.dir)):
        console.print(f"the demo is still in {near(place)}; remove the folder when you are done with it", style="dim")
    for said in hooks.values():
        announce(console, said)
    if shown is not None:
        conclude_demo(console, shown.content, own, product.landing_help)
    return report.exit_code


def _pipeline(
    product: Product, settings: Settings, tables: dict[str, Table], observer: Observer, options: argparse.Namespace
) -> Report:
    return run_pipeline(settings, tables, observer, options.only, full=options.full, dry_run=options.dry_run, early=product.early)


def _after_run(product: Product, settings: Settings, tables: dict[str, Table], report: Report) -> dict[str, Announcement | None]:
    """What each hook says, by its name; None where the run changed nothing that it could be about."""
    is_idle = report.is_dry_run or report.is_empty
    return {hook.name: None if is_idle else hook.call(settings, tables, report) for hook in product.after_run}


def _point_to_demo(settings: Settings, tables: dict[str, Table], errors: Console) -> None:
    """Say where the demo is to a person who looks for it in a lakehouse that holds nothing."""
    place = demos.place_of(settings.dir)
    if place != settings.dir and demos.is_demo(place) and not demos.has_rows(settings.dir, tables):
        errors.print(
            Text(f"note: {near(settings.dir)} holds nothing yet; to look at the demo add --lakehouse {shlex.quote(near(place))}")
        )


def as_json(report: Report) -> dict[str, Any]:
    """The report as plain values."""
    return dataclasses.asdict(report)
