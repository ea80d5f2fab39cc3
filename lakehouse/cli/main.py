"""The command line: which commands there are, and calling one. Nothing heavy is imported before a command needs it.

Exit codes: 0 success, 1 something failed, 2 invalid usage or setting, 3 another run in progress.
"""

from __future__ import annotations

import importlib
import os
import sys
from typing import TYPE_CHECKING, Any

from lakehouse.cli.errors import FAILED, OK, USAGE, explained, print_error
from lakehouse.cli.product import Command, Product

if TYPE_CHECKING:
    from argparse import ArgumentParser
    from collections.abc import Sequence

PROGRAM = "lakehouse"
USE = f"{PROGRAM} COMMAND [OPTIONS]"
HELP = ("-h", "--help")
BUILD, LOOK, KEEP, SHARE = "Build", "Look at the result", "Look after it", "Use it elsewhere"
GROUPS = (BUILD, LOOK, KEEP, SHARE)
OWN = (
    Command("run", "read new files and build stale tables", "lakehouse.cli.run", BUILD, reads=False),
    Command("status", "show the last runs and the stale tables", "lakehouse.cli.status", BUILD),
    Command("check", "evaluate the quality rules on the current tables", "lakehouse.cli.check", BUILD),
    Command("models", "list trained models, or go back to an older one", "lakehouse.cli.models", BUILD),
    Command("tables", "list all tables with row counts and grain", "lakehouse.cli.tables", LOOK),
    Command("show", "show rows of a table", "lakehouse.cli.show", LOOK),
    Command("export", "write tables as Parquet, CSV or one DuckDB file", "lakehouse.cli.export", SHARE),
    Command("completion", "print a completion script for your shell", "lakehouse.cli.completion", SHARE, reads=False),
)
ENDING = f"""
`{PROGRAM} COMMAND --help` lists the options of a command.
Exit codes: 0 success, 1 something failed, 2 invalid usage or setting, 3 another run in progress.
"""


def commands_of(product: Product) -> dict[str, Command]:
    """The kernel's commands and the product's, by name, in the order of --help."""
    every = (*OWN, *product.commands)
    return {command.name: command for group in GROUPS for command in every if command.group == group}


def parser(product: Product, names: Sequence[str]) -> ArgumentParser:
    """The parser of all commands; only those of `names` are imported for their options."""
    from argparse import ArgumentParser

    from lakehouse.cli.options import LANDING_COMMANDS, add_settings, add_shared

    top = ArgumentParser(prog=PROGRAM, usage=USE, description=product.description)
    subparsers = top.add_subparsers(dest="command", required=True, metavar="COMMAND", prog=PROGRAM)
    for command in commands_of(product).values():
        own = subparsers.add_parser(command.name, help=command.help, description=_sentence(command.help))
        if command.name in names:
            if command.reads:
                add_shared(own)
            importlib.import_module(command.module).add_options(own)
            if command.name in LANDING_COMMANDS:
                add_settings(own, product)
    return top


def _sentence(text: str) -> str:
    return f"{text[0].upper()}{text[1:]}."


def overview(product: Product) -> str:
    """The commands in groups, a line each."""
    commands = commands_of(product)
    width = max(map(len, commands))
    lines = [f"usage: {USE}", "", product.description]
    for group in GROUPS:
        lines += ["", f"{group}:"]
        lines += [f"  {one.name:<{width}}  {one.help}" for one in commands.values() if one.group == group]
    return "\n".join(lines) + "\n" + ENDING


def main(product: Product, arguments: Sequence[str] | None = None) -> int:
    """Run a command and return the exit code. Every expected error ends in one line on standard error."""
    words = sys.argv[1:] if arguments is None else list(arguments)
    if not words or words[0] in HELP:
        (sys.stdout if words else sys.stderr).write(overview(product))
        return OK if words else USAGE
    try:
        options = parser(product, words[:1]).parse_args(words)
        command = commands_of(product)[options.command]
        module: Any = importlib.import_module(command.module)
        if not command.reads:
            return int(module.call(product, options))
        from lakehouse.cli.reading import read

        return read(product, module.call, options)
    except KeyboardInterrupt:
        sys.stderr.write("stopped\n")
        # Threads may still wait for an engine that the same signal stopped.
        os._exit(FAILED)
    except Exception as error:
        explanation = explained(error)
        if explanation is None:
            raise
        code, lines = explanation
        print_error(*lines)
        return code
