"""The lakehouse itself, the landing folder, and the clock."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from pathlib import Path

from deltalake import DeltaTable
from deltalake.exceptions import DeltaError

from lakehouse.cli.demo import MARKER as DEMO
from lakehouse.cli.places import is_lakehouse
from lakehouse.engine.base import first_line
from lakehouse.settings import EVERYONE, RECEIVED
from lakehouse.storage.lakehouse import Lakehouse, NewerLakehouseError
from lakehouse.storage.ledger import Ledger
from upkeep.checks.finding import Finding, SetUp, command
from upkeep.maintenance import table_folders

# Clocks of one machine and its file servers differ by seconds.
AHEAD = dt.timedelta(minutes=5)


def tables(set_up: SetUp) -> Iterator[Finding]:
    """A folder that holds something else, a lakehouse of a newer version, and tables whose log or files are damaged."""
    root = set_up.lakehouse
    if not root.is_dir() or not any(root.iterdir()):
        return
    if not is_lakehouse(root):
        remedy = "choose another folder with --lakehouse or LAKEHOUSE_DIR"
        yield Finding("lakehouse", "the folder contains other files and no lakehouse", str(root), remedy)
        return
    try:
        Lakehouse(root).check_format()
    except NewerLakehouseError as error:
        yield Finding("lakehouse", str(error), str(root), "update the project: git pull && make setup")
    for name, folder in table_folders(root).items():
        if (problem := _damage(folder)) is not None:
            yield Finding("lakehouse", f"{name}: {problem}", str(folder), _remedy(name, folder))


def _remedy(name: str, folder: Path) -> str:
    """A table that follows from others can be built again."""
    if not name.startswith(("silver.", "gold.")):
        return "restore it from a backup"
    root = folder.parent.parent
    away = command("mv", folder, root.with_name(f"{root.name}-{name}.damaged"))
    return f"{away} && {command('lakehouse', 'run', '--lakehouse', root, '--only', name)}"


def _damage(folder: Path) -> str | None:
    """What is wrong with the newest version of a table; None where it can be read."""
    try:
        names = DeltaTable(folder).get_add_actions()["path"].to_pylist()
    except (DeltaError, OSError) as error:
        return first_line(error)
    missing = [name for name in names if not (folder / name).is_file()]
    return f"{len(missing)} of its {len(names)} files are missing, the first is {missing[0]}" if missing else None


def landing(set_up: SetUp) -> Iterator[Finding]:
    """A landing folder that is not there, and files in it that no run reads."""
    place = set_up.settings.landing
    if not place.is_dir():
        remedy = command("mkdir", "-p", place)
        yield Finding("landing", "the landing folder does not exist", str(place), f"{remedy}, or set LAKEHOUSE_LANDING")
        return
    for path in sorted(place.iterdir()):
        is_own = path.name in (EVERYONE, RECEIVED, DEMO) or path == set_up.settings.inbox_folder
        if path.name.startswith("_") and not is_own:
            remedy = command("mv", path, path.with_name(path.name.lstrip("_") or "renamed"))
            yield Finding("landing", "runs pass over names that begin with _", str(path), remedy)
    for file in Ledger(set_up.lakehouse).files():
        if file.is_present and file.status in ("unknown", "broken"):
            what = f"{file.path} is {file.status}: {file.reason or 'no source reads it'}"
            yield Finding(
                "landing", what, str(place / file.container), "see docs/reference/landing.md; move away what is not needed"
            )


def clock(set_up: SetUp) -> Iterator[Finding]:
    """Files from the future: the clock was set back, or was ahead when they were written."""
    newest: tuple[dt.timedelta, Path] | None = None
    for folder in set_up.own_folders.values():
        for path in folder.rglob("*") if folder.is_dir() else ():
            ahead = -set_up.age(path)
            if ahead > AHEAD and (newest is None or ahead > newest[0]):
                newest = ahead, path
    if newest is not None:
        ahead, path = newest
        what = f"the newest file is {ahead} ahead of this machine's clock, which says {set_up.now:%Y-%m-%d %H:%M:%S} UTC"
        remedy = f"sudo timedatectl set-ntp true; if the clock is right, {command('touch', path)}"
        yield Finding("clock", what, str(path), remedy)
