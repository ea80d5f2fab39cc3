"""What processes that were killed left behind: half-written files, runs that never ended, pid files of servers that are gone."""

from __future__ import annotations

import datetime as dt
import fcntl
from collections.abc import Iterator
from pathlib import Path

from bi.process import Server
from bi.settings import BISettings
from lakehouse.storage.lakehouse import STAGING
from lakehouse.storage.ledger import Ledger
from upkeep.checks.finding import Finding, SetUp, command
from upkeep.delta_folder import DeltaFolder
from upkeep.maintenance import table_folders

# What is younger may be in the making.
SETTLED = dt.timedelta(hours=1)
PARTS = ("*.part", ".*.part", "*.partial", ".*.partial")


def half_written(set_up: SetUp) -> Iterator[Finding]:
    """Part files, and what a run staged while none is running."""
    folders = {"landing": set_up.settings.landing, "inbox": set_up.settings.inbox_folder, "state": set_up.settings.state_dir}
    found = {path: name for name, folder in folders.items() if folder.is_dir() for one in PARTS for path in folder.rglob(one)}
    for path, name in sorted(found.items()):
        if path.is_file() and set_up.age(path) > SETTLED:
            yield Finding("half-written", f"a file of the {name} was not written to the end", str(path), command("rm", path))
    if is_held(set_up.lakehouse / "_lock"):
        return
    unfinished = [path for folder in table_folders(set_up.lakehouse).values() for path in _unfinished(folder)]
    staged = [path for path in (set_up.lakehouse / STAGING, *set_up.lakehouse.glob("models/*/*.part")) if path.is_dir()]
    for path in (*staged, *unfinished):
        what = "a run that was killed left what it had not published"
        yield Finding("half-written", what, str(path), command("lakehouse", "maintain", "--lakehouse", set_up.lakehouse))


def _unfinished(folder: Path) -> list[Path]:
    return DeltaFolder(folder, (), dt.timedelta(0)).unfinished()


def is_held(lock: Path) -> bool:
    """Whether a process holds the lock. Asks for a share of it for a moment, and writes nothing."""
    try:
        with lock.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False


def locks(set_up: SetUp) -> Iterator[Finding]:
    """A run that still counts as running although nobody holds the lock, and servers of the BI stack that died."""
    if not is_held(set_up.lakehouse / "_lock"):
        for run in Ledger(set_up.lakehouse).runs():
            if run["status"] == "running":
                what = f"run {run['run_id']} was killed; what it published stays, and the next run continues from there"
                remedy = command("lakehouse", "run", "--lakehouse", set_up.lakehouse)
                yield Finding("locks", what, str(set_up.lakehouse / "_lock_holder"), remedy)
    stack = BISettings()
    for file in sorted((stack.dir / "run").glob("*.pid")):
        if Server(file.stem, stack.dir / "run", stack.dir / "log").process() is None:
            yield Finding("locks", f"{file.stem} of the BI stack ended without being stopped", str(file), "make bi")
