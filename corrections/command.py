"""The command `corrections suggest|check`."""

from __future__ import annotations

import argparse

from rich.console import Console

from lakehouse.cli.errors import UsageError
from lakehouse.cli.options import add_engine
from lakehouse.declare import Table
from lakehouse.settings import Settings

ACTIONS = ("suggest", "check")


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of `corrections`."""
    parser.add_argument(
        "what",
        choices=ACTIONS,
        help="suggest: names that look like one, as lines for corrections.csv; check: what each line of your files would change",
    )
    parser.add_argument("--landing", metavar="DIR", help="landing folder with the files to check (default: that of the last run)")
    parser.add_argument("--user", metavar="NAME", help="only this listener")
    add_engine(parser)


def call(settings: Settings, tables: dict[str, Table], options: argparse.Namespace, console: Console) -> int:
    """Suggest lines, or check those there are; exit code 1 for a line that cannot be used. Raises UsageError."""
    if not (settings.dir / "silver" / "plays").is_dir():
        raise UsageError(f"there are no plays in {settings.dir} yet: `lakehouse run` reads them")
    if options.what == "suggest":
        from corrections.suggest import suggest

        return suggest(settings, options.user, as_json=options.json, console=console)
    if not settings.landing.is_dir():
        raise UsageError(f"the landing folder {settings.landing} does not exist")
    from corrections.check import check

    return check(settings, tables, options.user, as_json=options.json, console=console)
