"""Which landing folder and which lakehouse a command is about.

In this order: option, environment, `./.env`, the project's `.env`, for reading commands the last run of the current folder
(`./.lakehouse-last`), default. A lakehouse also knows the landing folder that it was built from.
"""

from __future__ import annotations

import json
import os
import tempfile
from argparse import Namespace
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from lakehouse.cli import demo
from lakehouse.cli.errors import UsageError
from lakehouse.cli.options import LANDING_COMMANDS
from lakehouse.cli.product import Product
from lakehouse.cli.progress import FILE as PROGRESS
from lakehouse.settings import Settings
from lakehouse.storage.lakehouse import STAGING, Lakehouse

LAST_RUN = ".lakehouse-last"
BUILT_FROM = "_built_from.json"
OPTIONS = ("dir", "landing", "engine", "user")
# What a run that was cut short before its first table leaves.
REMAINS = {"_lock", "_lock_holder", PROGRESS, STAGING, BUILT_FROM}
# What a volume may hold before anything was put into it.
NOTHING = ("lost+found",)


@dataclass(frozen=True)
class LastRun:
    """What the last run in a folder wrote, and from what."""

    lakehouse: Path
    landing: Path


def settings_from(product: Product, options: Namespace) -> Settings:
    """The settings, overridden by the options that were given. Raises ValidationError and SettingsError."""
    names = [*OPTIONS, *(option.setting for option in product.run_options)]
    if options.command not in LANDING_COMMANDS:
        names.remove("user")
    values = {name: getattr(options, name) for name in names if getattr(options, name, None) is not None}
    return product.settings()(**values)


def settings_for_run(product: Product, options: Namespace) -> Settings:
    """The settings of `run`. Raises UsageError for a named landing folder that is not there, and for a folder of other files."""
    settings = settings_from(product, options)
    _require_landing(settings)
    if settings.dir.is_dir() and not _is_empty(settings.dir) and not is_lakehouse(settings.dir):
        raise UsageError(f"{settings.dir} contains other files and no lakehouse; choose another --lakehouse")
    return settings


def settings_for_reading(product: Product, options: Namespace) -> Settings:
    """The settings of a command that reads. Raises UsageError for a named lakehouse or landing folder that is not there."""
    settings = settings_from(product, options)
    last = last_run(Path.cwd())
    if "dir" not in settings.model_fields_set and last is not None and last.lakehouse.is_dir():
        settings = settings.model_copy(update={"dir": last.lakehouse})
    elif "dir" in settings.model_fields_set:
        _require_lakehouse(settings.dir)
    landing = None if _is_landing_named(settings, options) else _built_from(settings.dir, last)
    if landing is not None:
        return settings.model_copy(update={"landing": landing})
    if options.command in LANDING_COMMANDS:
        _require_landing(settings)
    return settings


def _is_landing_named(settings: Settings, options: Namespace) -> bool:
    """Whether the landing folder is named as precisely as the lakehouse.

    A lakehouse named by an option is judged by what it was built from, whatever the environment names for runs.
    """
    is_lakehouse_chosen = getattr(options, "dir", None) is not None
    is_landing_chosen = getattr(options, "landing", None) is not None
    return "landing" in settings.model_fields_set and (is_landing_chosen or not is_lakehouse_chosen)


def find_lakehouse(product: Product, named: str | None) -> Path:
    """The lakehouse named, else the one that reading commands find."""
    settings = product.settings()() if named is None else product.settings()(dir=Path(named))
    last = None if "dir" in settings.model_fields_set else last_run(Path.cwd())
    return last.lakehouse if last is not None and last.lakehouse.is_dir() else settings.dir


def is_default(product: Product, root: Path) -> bool:
    """Whether reading commands find this lakehouse without an option; not if the settings without options cannot be used."""
    try:
        return find_lakehouse(product, None) == root
    except (UsageError, ValueError):
        return False


def _require_landing(settings: Settings) -> None:
    if "landing" in settings.model_fields_set and not settings.landing.is_dir():
        raise UsageError(f"the landing folder {settings.landing} does not exist")


def _require_lakehouse(root: Path) -> None:
    if root.is_dir() and (_is_empty(root) or is_lakehouse(root)):
        return
    place = demo.place_of(root)
    hint = f"; for the demo, add --lakehouse {place}" if demo.is_demo(place) else ""
    raise UsageError(f"there is no lakehouse in {root}{hint}")


def is_lakehouse(root: Path) -> bool:
    """Whether the folder holds a lakehouse or a demo, or nothing but what a run that was cut short leaves."""
    names = {path.name for path in root.iterdir()} if root.is_dir() else set()
    return Lakehouse(root).exists() or demo.is_demo(root) or (bool(names) and names <= REMAINS)


def _is_empty(root: Path) -> bool:
    return all(path.name.startswith(".") or path.name in NOTHING for path in root.iterdir())


def last_run(folder: Path) -> LastRun | None:
    """The last run in a folder; None where there was none. Raises UsageError for a note that cannot be read."""
    note = _note(folder / LAST_RUN)
    return None if note is None else LastRun(Path(note["lakehouse"]), Path(note["landing"]))


def _built_from(root: Path, last: LastRun | None) -> Path | None:
    """The landing folder that a lakehouse was built from, as far as anything says so."""
    note = _note(root / BUILT_FROM)
    if note is not None:
        return Path(note["landing"])
    return last.landing if last is not None and last.lakehouse == root else None


def _note(path: Path) -> dict[str, str] | None:
    try:
        note = json.loads(path.read_text(encoding="utf-8"))
        return {name: str(note[name]) for name in ("lakehouse", "landing")}
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UsageError(f"{path} cannot be read; remove it") from error


def remember(settings: Settings) -> str | None:
    """Note what a run wrote and from what, in the current folder and in the lakehouse; returns what kept it from that."""
    note = {"lakehouse": str(settings.dir), "landing": str(settings.landing)}
    try:
        _write(settings.dir / BUILT_FROM, note)
        # Containers have read-only folders; what they run is set by their environment.
        if os.access(Path.cwd(), os.W_OK):
            _write(Path.cwd() / LAST_RUN, note)
    except OSError as error:
        return f"{error.filename}: {error.strerror}; other commands need --lakehouse to find this lakehouse"
    return None


def _write(path: Path, note: Mapping[str, str]) -> None:
    text = json.dumps(note) + "\n"
    if path.is_file() and path.read_text(encoding="utf-8") == text:
        return
    handle, name = tempfile.mkstemp(prefix=f"{path.name}.", dir=path.parent)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(text)
    Path(name).replace(path)
