"""The command `doctor`: what is wrong with this set-up, where, and what mends it."""

from __future__ import annotations

import argparse
import dataclasses
import datetime as dt
from collections.abc import Callable, Iterator

import pyarrow as pa
from deltalake.exceptions import DeltaError
from pydantic import ValidationError
from pydantic_settings import SettingsError

from lakehouse.cli.console import Terminal, plain, print_json
from lakehouse.cli.errors import FAILED, OK, UsageError
from lakehouse.cli.options import add_shared
from lakehouse.cli.places import settings_for_reading, settings_from
from lakehouse.cli.product import Product
from lakehouse.engine.base import first_line
from lakehouse.settings import Settings
from music.settings import ListeningSettings
from upkeep.checks import accounts, folders, left_over, names, programs, stack, tables
from upkeep.checks.finding import Finding, SetUp

CHECKS: dict[str, Callable[[SetUp], Iterator[Finding]]] = {
    "python": programs.python,
    "java": programs.java,
    "settings": names.settings,
    "disk": folders.disk,
    "permissions": folders.permissions,
    "privacy": folders.privacy,
    "lakehouse": tables.tables,
    "half-written": left_over.half_written,
    "locks": left_over.locks,
    "landing": tables.landing,
    "tokens": accounts.tokens,
    "polls": accounts.polls,
    "bi": stack.stack,
    "clock": tables.clock,
}
WITHOUT_SETTINGS = ("python", "settings")


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of `doctor`."""
    add_shared(parser)
    parser.add_argument(
        "--landing", metavar="DIR", help="folder of the raw files (default: the one the lakehouse was built from)"
    )


def call(product: Product, options: argparse.Namespace) -> int:
    """Look at everything; 1 if something is wrong. Changes nothing and starts no engine."""
    now = dt.datetime.now(dt.timezone.utc)
    checked = tuple(CHECKS)
    try:
        settings = _settings(product, options)
    except (ValidationError, SettingsError):
        # What is wrong with them is found by the one check that needs none of them.
        settings, checked = None, WITHOUT_SETTINGS
    set_up = SetUp(settings or ListeningSettings.model_construct(), now)
    findings = [finding for name in checked for finding in looked_at(name, set_up)]
    if options.json:
        print_json(
            {
                "findings": [dataclasses.asdict(one) for one in findings],
                "checked": checked,
                "lakehouse": settings and settings.dir,
            }
        )
    else:
        _print(findings, checked)
    return FAILED if findings else OK


def _settings(product: Product, options: argparse.Namespace) -> ListeningSettings:
    try:
        found: Settings = settings_for_reading(product, options)
    except UsageError:
        # Of a folder without a lakehouse, a check says so.
        found = settings_from(product, options)
    if not isinstance(found, ListeningSettings):
        raise TypeError(f"{type(found).__name__} are not the settings of this project")
    return found


def looked_at(name: str, set_up: SetUp) -> list[Finding]:
    """What one check finds. What keeps it from looking is a finding too."""
    findings: list[Finding] = []
    try:
        findings.extend(CHECKS[name](set_up))
    except (ValidationError, SettingsError):
        # Of the BI stack's settings, which the check of settings names.
        return findings
    except (OSError, DeltaError, pa.ArrowException) as error:
        where = str(getattr(error, "filename", None) or set_up.lakehouse)
        what = f"this could not be checked: {getattr(error, 'strerror', None) or first_line(error)}"
        findings.append(Finding(name, what, where, "mend what is named here and call `lakehouse doctor` again"))
    return findings


def _print(findings: list[Finding], checked: tuple[str, ...]) -> None:
    console = Terminal()
    for one in findings:
        console.print(plain(f"{one.check}: {one.what}", 500), style="yellow")
        console.print(plain(f"  where: {one.where}", 500))
        console.print(plain(f"  mend:  {one.remedy}", 1000))
    left = [name for name in CHECKS if name not in checked]
    if left:
        console.print(f"not checked, as the settings cannot be used: {', '.join(left)}")
    number = f"{len(findings)} thing{'s' if len(findings) != 1 else ''} to mend" if findings else "nothing is wrong"
    console.print(f"{number}; looked at {', '.join(checked)}", style="bold")
