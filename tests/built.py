"""Lakehouses that several modules and targets test: each is built once for the same code, and copied to whoever asks."""

from __future__ import annotations

import hashlib
import os
import shutil
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path

from filelock import FileLock

from lakehouse.engine.java import java_problem
from lakehouse.settings import PROJECT_ROOT

FOLDER = PROJECT_ROOT / ".built"
# What a build reads of the project, and the tests that make landing folders.
KINDS = {".py", ".csv", ".json", ".html", ".js", ".css", ".lock", ".toml"}
NOT_READ = {"docs", "data", "bench", "build", "mutants"}


@cache
def _code() -> str:
    """Hash of the project's files, of the interpreter, of Java's presence and of the settings in the environment."""
    digest = hashlib.sha256(f"{sys.version}\0{java_problem()}".encode())
    digest.update(repr(sorted(item for item in os.environ.items() if item[0].startswith("LAKEHOUSE_"))).encode())
    for folder, folders, names in os.walk(PROJECT_ROOT):
        folders[:] = sorted(name for name in folders if not name.startswith((".", "_")) and name not in NOT_READ)
        for name in sorted(names):
            path = Path(folder, name)
            if path.suffix in KINDS:
                digest.update(f"{path.relative_to(PROJECT_ROOT)}\0".encode() + path.read_bytes())
    return digest.hexdigest()[:16]


def built(name: str, build: Callable[[Path], object], copy: Path) -> Path:
    """A copy, at `copy`, of the folder `name` as `build` makes it, once for the code as it is, whichever process comes first.

    Folders of other code are removed. Raises what `build` raises, after which the folder is not kept.
    """
    kept = FOLDER / _code() / name
    FOLDER.mkdir(exist_ok=True)
    with FileLock(FOLDER / "lock"):
        for other in FOLDER.iterdir():
            if other.is_dir() and other.name != kept.parent.name:
                shutil.rmtree(other)
        if not kept.is_dir():
            part = kept.with_suffix(".part")
            shutil.rmtree(part, ignore_errors=True)
            part.mkdir(parents=True)
            build(part)
            part.rename(kept)
    shutil.copytree(kept, copy, dirs_exist_ok=True, symlinks=True)
    return copy
