"""The command `bi`: Trino and Superset over the lakehouse.

Exit codes: 0 success, 1 something failed, 2 invalid usage or configuration.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from pathlib import Path

from pydantic import ValidationError
from rich.console import Console
from rich.text import Text

from bi import install, listeners, secrets, stack
from bi.process import StackError
from bi.settings import BISettings, problems_of, start_command
from bi.trino.configuration import render_access
from lakehouse.cli import demo
from lakehouse.cli.console import Terminal, plain
from lakehouse.cli.errors import UsageError
from lakehouse.cli.here import near
from lakehouse.cli.places import find_lakehouse
from lakehouse.cli.product import Product
from lakehouse.plan import graph

OK, FAILED, USAGE = 0, 1, 2
STARTING = ("check", "up", "prepare")


def add_options(parser: argparse.ArgumentParser) -> None:
    """The commands of `bi` and their options."""
    commands = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    placed = argparse.ArgumentParser(add_help=False)
    placed.add_argument("--lakehouse", metavar="DIR", help="lakehouse folder (default: that of the last run in this folder)")
    parted = argparse.ArgumentParser(add_help=False)
    parted.add_argument("--only", choices=stack.PARTS, help="only this part and what it needs")
    commands.add_parser("check", parents=[placed, parted], help="list what is missing to install and start the stack here")
    commands.add_parser("up", parents=[placed, parted], help="start what is not running and register the tables")
    commands.add_parser("down", parents=[parted], help="stop everything")
    commands.add_parser("status", parents=[placed, parted], help="show what is running")
    prepare = commands.add_parser("prepare", parents=[placed], help="write passwords and configuration without starting anything")
    prepare.add_argument("--containers", action="store_true", help="for the services of docker-compose.yml")
    listener = commands.add_parser("listener", parents=[placed], help="manage Trino log-ins that see only one listener's rows")
    listener.add_argument("change", choices=("add", "remove", "list"), help="what to do with a log-in")
    listener.add_argument("name", nargs="?", metavar="NAME", help="the listener: a user_id of silver.users")


def call(product: Product, options: argparse.Namespace) -> int:
    """Run an action; returns the exit code. Raises UsageError for a lakehouse that is not there."""
    console = Terminal()
    errors = Terminal(stderr=True)
    try:
        settings = BISettings()
        lakehouse = shown_lakehouse(product, settings, getattr(options, "lakehouse", None), options.action)
        return _act(settings, lakehouse, options, console)
    except ValidationError as error:
        for problem in problems_of(error):
            errors.print(Text(f"error: {problem}"))
        return USAGE
    except StackError as error:
        errors.print(Text(f"error: {error}"))
        return FAILED
    except KeyboardInterrupt:
        errors.print("stopped; `lakehouse bi up` continues from here, `lakehouse bi down` stops what is running")
        return FAILED


def _act(settings: BISettings, lakehouse: Path, options: argparse.Namespace, console: Console) -> int:
    if options.action == "check":
        return check(settings, lakehouse, options.only)
    if options.action == "up":
        return up(settings, lakehouse, options.only, console)
    if options.action == "down":
        return down(settings, lakehouse, options.only, console)
    if options.action == "status":
        return status(settings, lakehouse, options.only, console)
    if options.action == "listener":
        return listener(settings, lakehouse, options.change, options.name, console)
    stack.prepare(settings, lakehouse, containers=options.containers)
    console.print(Text(f"prepared {near(settings.dir)}"))
    return OK


def shown_lakehouse(product: Product, settings: BISettings, named: str | None, action: str) -> Path:
    """The lakehouse named, or the one that the stack shows; at its start that of the last run, or its demo if that is empty."""
    before = secrets.read_env(settings.credentials).get("TRINO_LAKEHOUSE")
    if named is None and before and action not in STARTING:
        return Path(before)
    lakehouse = find_lakehouse(product, named)
    place = demo.place_of(lakehouse)
    if demo.is_demo(place) and not demo.has_rows(lakehouse, graph.load()):
        return place
    if action != "prepare" and action in STARTING and not lakehouse.is_dir():
        raise UsageError(f"there is no lakehouse in {near(lakehouse)}; `make run LAKEHOUSE={near(lakehouse)}` builds it")
    return lakehouse


def check(settings: BISettings, lakehouse: Path, only: str | None) -> int:
    """Raise StackError with all that is missing for the stack to be installed and started; print nothing if nothing is."""
    steps = _with_plays(settings, lakehouse, only)
    _refuse([*(problem for step in steps for problem in step.problems()), *install.problems()])
    return OK


def up(settings: BISettings, lakehouse: Path, only: str | None, console: Console) -> int:
    """Bring up every step, unless any of them reports a problem."""
    steps = _with_plays(settings, lakehouse, only)
    _refuse([problem for step in steps for problem in (*step.problems(), *step.not_installed())])
    secrets.prepare(settings, lakehouse)
    for step in steps:
        began = time.monotonic()
        with console.status(f"{step.name} ..."):
            done = step.up()
        console.print(Text(f"{step.name:<12} {done}") + Text(f"  {time.monotonic() - began:.1f} s", style="dim"))
    console.print(Text(f"lakehouse    {near(lakehouse)}"))
    for name, url in secrets.read_env(settings.credentials).items():
        if name.endswith("_URL") and only in (None, name.split("_", maxsplit=1)[0].lower()):
            console.print(Text(f"{name.removesuffix('_URL').capitalize():<12} {url}", style="bold"))
    console.print(Text(f"passwords    {near(settings.credentials)}"))
    return OK


def _with_plays(settings: BISettings, lakehouse: Path, only: str | None) -> list[stack.Step]:
    if not demo.has_rows(lakehouse, graph.load()):
        raise StackError(f"{near(lakehouse)} holds no plays yet; `make run LAKEHOUSE={near(lakehouse)}` builds it")
    return stack.chosen(stack.steps(settings, lakehouse), only)


def _refuse(problems: Sequence[str]) -> None:
    if problems:
        raise StackError("these things are missing:\n" + "\n".join(f"  - {problem}" for problem in problems))


def down(settings: BISettings, lakehouse: Path, only: str | None, console: Console) -> int:
    """Stop every server, the last first. What other parts need stays, where only one is named."""
    for step in reversed(stack.steps(settings, lakehouse)):
        was_up = step.down() if only in (None, step.part) else None
        if was_up is not None:
            console.print(Text(f"{step.name:<12} {'stopped' if was_up else 'not running'}"))
    return OK


def status(settings: BISettings, lakehouse: Path, only: str | None, console: Console) -> int:
    """Show how each step is."""
    for step in stack.chosen(stack.steps(settings, lakehouse), only):
        console.print(Text(f"{step.name:<12} {step.status()}"))
    console.print(Text(f"lakehouse    {near(lakehouse)}"))
    return OK


def listener(settings: BISettings, lakehouse: Path, action: str, name: str | None, console: Console) -> int:
    """Give a listener a log-in, take it away, or list who has one; a running Trino knows within seconds."""
    if not settings.credentials.is_file():
        raise StackError(f"{settings.credentials} does not exist; start the stack first (`{start_command()}`)")
    if action == "list":
        for login, user_id in sorted(listeners.known(settings).items()):
            console.print(Text(f"{login}  ") + plain(user_id, 250))
        return OK
    if name is None:
        raise StackError(f"name the listener: lakehouse bi listener {action} NAME")
    if action == "add":
        if name not in listeners.of_lakehouse(lakehouse):
            raise StackError(f"{near(lakehouse)} has no listener {plain(name, 250).plain!r}; name a user_id of silver.users")
        login = listeners.add(settings, name)
    else:
        login = listeners.remove(settings, name)
    render_access(settings, graph.load())
    console.print(Text(login))
    if action == "add":
        console.print(Text(f"password in {near(listeners.credentials(settings, login))}", style="dim"))
    return OK
