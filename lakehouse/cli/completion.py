"""The command `completion`: a script that lets a shell complete commands, options and paths."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator

import shtab

from lakehouse.cli.product import Product

FOLDERS, FILES = ("DIR",), ("FILE", "PATH", "CSV")


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of `completion`."""
    parser.add_argument(
        "shell", choices=shtab.SUPPORTED_SHELLS, help='for bash, add `eval "$(lakehouse completion bash)"` to ~/.bashrc'
    )


def call(product: Product, options: argparse.Namespace) -> int:
    """Print the script."""
    from lakehouse.cli import main

    top = main.parser(product, list(main.commands_of(product)))
    for action in _actions(top):
        if action.metavar in FOLDERS:
            action.complete = shtab.DIRECTORY  # type: ignore[attr-defined]
        elif action.metavar in FILES:
            action.complete = shtab.FILE  # type: ignore[attr-defined]
    sys.stdout.write(shtab.complete(top, options.shell) + "\n")
    return 0


def _actions(parser: argparse.ArgumentParser) -> Iterator[argparse.Action]:
    """Every option and argument, those of subcommands included."""
    for action in parser._actions:
        yield action
        if isinstance(action, argparse._SubParsersAction):
            for inner in dict.fromkeys(action.choices.values()):
                yield from _actions(inner)
