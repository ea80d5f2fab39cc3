"""The demo: what a run builds for a person who has no data yet. It has a lakehouse of its own, beside the person's.

The kernel decides when and where; what it is made of is given from outside (`Demo`). Its folder holds the landing files
it was made from, in `landing`, and markers, so that nobody's data gets into it and nothing else is ever removed.
"""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

from lakehouse.cli.product import Demo
from lakehouse.declare.table import LAYERS, Table
from lakehouse.landing.packed import archives_under
from lakehouse.landing.scan import files_in
from lakehouse.settings import Settings
from lakehouse.storage import delta
from lakehouse.storage.lakehouse import MARKER as LAKEHOUSE_MARKER
from lakehouse.storage.lakehouse import STAGING
from lakehouse.storage.lock import locked

MARKER = "_demo.json"
LANDING = "landing"
SUFFIX = "-demo"
OWN = ("_lock", "_lock_holder", MARKER, LAKEHOUSE_MARKER)


class DemoError(Exception):
    """A folder that cannot be used for, or as anything but, the demo; the message says why."""


def is_demo(root: Path) -> bool:
    """Whether the lakehouse was made for the demo."""
    return (root / MARKER).is_file()


def place_of(root: Path) -> Path:
    """Where the demo of a lakehouse is: the folder beside it, or itself where it is one."""
    root = Path(os.path.abspath(root))  # noqa: PTH100 - resolve() would follow links, and a name may be `..`
    return root if is_demo(root) else root.with_name(f"{root.name or 'lakehouse'}{SUFFIX}")


def is_wanted(settings: Settings, tables: dict[str, Table]) -> bool:
    """Whether the person has nothing yet: no file in landing or inbox, which may be missing, and no row of an earlier run.

    Raises DemoError where the lakehouse is a demo's and landing holds files, which must not mix.
    """
    folders = (settings.landing, settings.inbox_folder)
    has_files = any(folder.exists() and (not folder.is_dir() or bool(files_in(folder))) for folder in folders)
    # Also what is being received just now, by its name no file yet, is not the demo's.
    is_received = bool(archives_under(settings.inbox_folder)) or any(settings.inbox_folder.glob("*/*/*/_*"))
    has_files = has_files or is_received
    if is_demo(settings.dir):
        if has_files:
            raise DemoError(
                f"{settings.dir} contains the demo, but {settings.landing} contains other files; choose another --lakehouse"
            )
        return True
    return not has_files and not has_rows(settings.dir, tables)


def has_rows(root: Path, tables: dict[str, Table]) -> bool:
    """Whether anything was ever read from a landing folder into the lakehouse."""
    paths = [root / declared.layer / declared.short_name for declared in tables.values() if declared.is_landing]
    return any(delta.version(path) is not None and delta.row_total(path) for path in paths)


def is_whole(demo: Demo, root: Path) -> bool:
    """Whether the landing files of this version are all there, as they were made, and no others."""
    made = _made(root / LANDING)
    return bool(made.get("version") == demo.version() and made.get("files") == _sizes(root / LANDING))


def prepare(demo: Demo, root: Path) -> None:
    """Make the landing files unless they are whole; tables made from others are removed, so that no play counts twice.

    Raises DemoError for a folder that holds anything else, and LockedError.
    """
    if is_whole(demo, root):
        return
    if root.is_dir() and not is_demo(root) and any(path.name not in OWN for path in root.iterdir()):
        raise DemoError(f"the demo would go into {root}, which contains something else; choose another --lakehouse")
    landing, old, making = root / LANDING, root / "_old_landing", root / "_making"
    with locked(root):
        if is_whole(demo, root):
            return
        if foreign := sorted(_sizes(landing).keys() - _made(landing).get("files", {}).keys()):
            raise DemoError(f"{landing / foreign[0]} does not belong to the demo; move it into your own landing folder")
        (root / MARKER).touch()
        # Landing goes first and comes last, each at once, so that whatever is broken off is seen and made again.
        _remove(old)
        if landing.exists():
            landing.rename(old)
        for name in (*LAYERS, STAGING, making.name, old.name):
            _remove(root / name)
        making.mkdir()
        demo.make(making)
        made = {"version": demo.version(), "files": _sizes(making)}
        (making / MARKER).write_text(json.dumps(made), encoding="utf-8")
        making.rename(landing)


def settings_for(settings: Settings, root: Path) -> Settings:
    """The same settings, over the demo's folders; without a JVM unless one was asked for, as a demo has to be quick."""
    engine = "embedded" if settings.engine == "auto" else settings.engine
    return settings.model_copy(update={"dir": root, "landing": root / LANDING, "inbox": None, "engine": engine})


def _made(landing: Path) -> dict[str, Any]:
    """Version and files (with their bytes) that were made; empty where nothing was, or nobody can tell."""
    try:
        return dict(json.loads((landing / MARKER).read_text(encoding="utf-8")))
    except (FileNotFoundError, ValueError):
        return {}


def _remove(folder: Path) -> None:
    if folder.exists():
        shutil.rmtree(folder)


def _sizes(landing: Path) -> dict[str, int]:
    return {path.relative_to(landing).as_posix(): path.stat().st_size for path in files_in(landing)}
