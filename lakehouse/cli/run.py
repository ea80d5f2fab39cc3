"""The command `run`: bring the lakehouse up to date, or build the demo where there is nothing to read yet."""

from __future__ import annotations

import argparse
import dataclasses
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from rich.console import Console

from lakehouse.cli import demo as demos
from lakehouse.cli import summary
from lakehouse.cli.console import Live, Quiet, Terminal, print_json
from lakehouse.cli.here import near
from lakehouse.cli.options import SELECTOR, add_landing, add_shared
from lakehouse.cli.places import remember, settings_for_run
from lakehouse.cli.product import Announcement, Demo, Product
from lakehouse.cli.progress import Noted
from lakehouse.declare.table import Table
from lakehouse.plan import graph
from lakehouse.run.report import Observer, Report
from lakehouse.run.run import run_pipeline
from lakehouse.settings import Settings


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of `run`; those that the product adds come with the call."""
    add_shared(parser, default="data/lakehouse")
    add_landing(parser)
    parser.add_argument(
        "--only",
        action="append",
        default=[],
        metavar="SELECTOR",
        help=f"{SELECTOR}, with everything it depends on; may be repeated",
    )
    parser.add_argument(
        "--full", action="store_true", help="rebuild the selected tables completely, and read changed files again"
    )
    parser.add_argument("--dry-run", action="store_true", help="list what would be read and built, without writing anything")
    parser.add_argument(
        "--no-demo", action="store_true", help="if the landing folder is empty, build nothing instead of the demo"
    )


@dataclass(frozen=True)
class Target:
    """What a run works on: a person's own lakehouse, or the demo that stands in for it."""

    settings: Settings
    own: Settings
    demo: Demo | None


def call(product: Product, options: argparse.Namespace) -> int:
    """Run, and say what came of it. Raises UsageError, DemoError, UnknownSelectorError, LockedError and OSError."""
    console, tables = Terminal(), graph.load()
    target = _target(product, tables, options)
    if target.demo is not None:
        graph.select(tables, options.only)
        if not options.json:
            summary.announce_demo(console, target.demo.content, target.own.landing, target.settings.dir)
        if not options.dry_run:
            demos.prepare(target.demo, target.settings.dir)
    try:
        report = _observed(product, target.settings, tables, options, console)
    except KeyboardInterrupt:
        _remember(target.settings)
        sys.stderr.write("published tables stay, and the next run continues from there\n")
        raise
    if not report.is_dry_run and not report.is_empty:
        _remember(target.settings)
    hooks = _after_run(product, target.settings, tables, report)
    if options.json:
        print_json(_document(report, target, hooks))
    else:
        _conclude(console, product, target, report, hooks)
    return report.exit_code


def _target(product: Product, tables: dict[str, Table], options: argparse.Namespace) -> Target:
    own = settings_for_run(product, options)
    # Asked in every case, as nobody's files may get into a demo's lakehouse.
    is_wanted = demos.is_wanted(own, tables)
    if not is_wanted or product.demo is None or options.no_demo:
        return Target(own, own, None)
    return Target(demos.settings_for(own, demos.place_of(own.dir)), own, product.demo())


def _observed(
    product: Product, settings: Settings, tables: dict[str, Table], options: argparse.Namespace, console: Console
) -> Report:
    def pipeline(observer: Observer) -> Report:
        how: dict[str, Any] = {"full": options.full, "dry_run": options.dry_run, "early": product.early}
        hooks: dict[str, Any] = {"audit": product.audit, "additions": product.additions, "prepare": product.before_run}
        return run_pipeline(settings, tables, observer, options.only, **how, **hooks)

    if options.json:
        with Noted(settings.dir, Quiet()) as noted:
            return pipeline(noted)
    with Live(console) as live, Noted(settings.dir, live) as noted:
        return pipeline(noted)


def _remember(settings: Settings) -> None:
    problem = remember(settings)
    if problem is not None:
        sys.stderr.write(f"warning: {problem}\n")


def _after_run(
    product: Product, settings: Settings, tables: Mapping[str, Table], report: Report
) -> dict[str, Announcement | None]:
    """What each hook says, by its name; None where the run changed nothing that it could be about."""
    is_idle = report.is_dry_run or report.is_empty
    return {hook.name: None if is_idle else hook.call(settings, tables, report) for hook in product.after_run}


def _document(report: Report, target: Target, hooks: Mapping[str, Announcement | None]) -> dict[str, Any]:
    said = {name: announcement and announcement.data for name, announcement in hooks.items()}
    return dataclasses.asdict(report) | {"demo": target.demo is not None, "lakehouse": str(target.settings.dir)} | said


def _conclude(
    console: Console, product: Product, target: Target, report: Report, hooks: Mapping[str, Announcement | None]
) -> None:
    summary.summarise(console, report, target.settings, product, is_demo=target.demo is not None)
    place = demos.place_of(target.settings.dir)
    if target.demo is None and report.new_files and demos.is_demo(place):
        console.print(f"the demo is still in {near(place)}; remove that folder when you no longer need it", style="dim")
    for announcement in hooks.values():
        summary.announce(console, announcement)
    if target.demo is not None:
        summary.conclude_demo(console, target.demo.content, target.own.landing, product.landing_help)
