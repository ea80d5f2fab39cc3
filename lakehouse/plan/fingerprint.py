"""The fingerprint of a table: its module, all project modules that imports reach from there, and its parameters' values."""

from __future__ import annotations

import functools
import hashlib
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lakehouse.settings import PROJECT_ROOT

# Python's parser would take a fifth of a second of every run for what a line tells.
IMPORT = re.compile(
    r"^[ \t]*(?:import[ \t]+(?P<modules>[^\n]+)|from[ \t]+(?P<base>[\w.]+)[ \t]+import[ \t]+(?P<names>\([^)]*\)|[^\n]+))", re.M
)
NAME = re.compile(r"(?:^|,)\s*([\w.]+)", re.M)


@functools.cache
def module_file(module: str) -> Path | None:
    """The project file of a dotted module name, or None for a module from elsewhere."""
    base = PROJECT_ROOT.joinpath(*module.split("."))
    for candidate in (base.with_suffix(".py"), base / "__init__.py"):
        if candidate.is_file():
            return candidate
    return None


@functools.cache
def imported_modules(module: str) -> frozenset[str]:
    """Project modules that the module imports directly, its parent packages included.

    Text that only looks like an import may add one. Imports behind a semicolon or a backslash are not seen, which the formatter
    does not leave: a test holds every module of the project against Python's own parser.
    """
    path = module_file(module)
    if path is None:
        return frozenset()
    names = {module.rpartition(".")[0]}
    for found in IMPORT.finditer(path.read_text(encoding="utf-8")):
        listed = NAME.findall((found["modules"] or found["names"]).strip("()"))
        names |= {found["base"], *(f"{found['base']}.{name}" for name in listed)} if found["base"] else set(listed)
    return frozenset(n for n in names if n and module_file(n) and n != module)


@functools.cache
def code_fingerprint(module: str) -> str:
    """SHA-256 (hex) over the sources of the module and of every project module it reaches through imports."""
    reached, todo = set(), {module}
    while todo:
        current = todo.pop()
        reached.add(current)
        todo |= imported_modules(current) - reached
    digest = hashlib.sha256()
    for name in sorted(reached):
        path = module_file(name)
        if path is not None:
            digest.update(f"{name}\0".encode() + path.read_bytes() + b"\0")
    return digest.hexdigest()


def fingerprint(module: str, parameters: Mapping[str, Any]) -> str:
    """What decides, beside the upstream versions, whether a table is stale: code and parameter values."""
    values = json.dumps(dict(parameters), sort_keys=True, default=str)
    return hashlib.sha256(f"{code_fingerprint(module)}\0{values}".encode()).hexdigest()
