"""Options that several commands share."""

from __future__ import annotations

from argparse import ArgumentParser, ArgumentTypeError
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lakehouse.cli.product import Product

# Commands whose --user is the listener of unnamed files, a setting; elsewhere it chooses whose rows to look at.
LANDING_COMMANDS = ("run", "status")
SELECTOR = "a layer, a category (gold.diagnostic) or a table"


def add_shared(parser: ArgumentParser, default: str = "that of the last run in this folder") -> None:
    """Which lakehouse, and --json."""
    parser.add_argument("--lakehouse", dest="dir", metavar="DIR", help=f"lakehouse folder (default: {default})")
    parser.add_argument("--json", action="store_true", help="print one JSON document instead of text")


def add_landing(parser: ArgumentParser, default: str = "data/landing") -> None:
    """What is read, by which engine, for whom."""
    parser.add_argument("--landing", metavar="DIR", help=f"folder of the raw files (default: {default})")
    add_engine(parser)
    parser.add_argument("--user", metavar="NAME", help="listener of files outside landing/listeners/NAME (default me)")


def add_settings(parser: ArgumentParser, product: Product) -> None:
    """The project's own settings that an option can change."""
    for option in product.run_options:
        action = "append" if option.may_repeat else "store"
        parser.add_argument(f"--{option.setting.replace('_', '-')}", metavar=option.metavar, help=option.help, action=action)


def add_engine(parser: ArgumentParser) -> None:
    """Where transforms run."""
    parser.add_argument("--engine", metavar="ENGINE", help="auto, embedded, spark or sc://host:port (default auto)")


def positive(text: str) -> int:
    """A whole number from 1. Raises ArgumentTypeError."""
    if not text.isdecimal() or int(text) < 1:
        raise ArgumentTypeError(f"{text} is not 1 or more")
    return int(text)
