"""The fingerprint of a table: the meaning of its module and of all project modules it reaches, and its parameters' values.

Comments, docstrings, formatting and the comments of columns are no part of it. Of the kernel it takes only the declared
version.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lakehouse import settings
from lakehouse.declare.table import Table
from lakehouse.plan.syntax import SyntaxCache

# Raised by hand when the kernel changes what tables hold: every table is then rebuilt, and every model trained again.
# tests/kernel_version holds the demo's tables against the digests recorded for this version.
KERNEL_VERSION = 1
KERNEL = "lakehouse"


class Fingerprints:
    """Fingerprints of the modules of a project, as its files are when they are first asked for."""

    def __init__(self, cache: Path | None = None, project: Path | None = None) -> None:
        """`cache` is a file that spares parsing in the next run; `project` defaults to this one."""
        self.project = project or settings.PROJECT_ROOT
        self.syntax = SyntaxCache(cache)
        self._files: dict[str, Path | None] = {}
        self._imports: dict[str, frozenset[str]] = {}
        self._trees: dict[str, str] = {}
        self._codes: dict[str, str] = {}

    def module_file(self, module: str) -> Path | None:
        """The project file of a dotted module name; None for a module from elsewhere."""
        if module not in self._files:
            base = self.project.joinpath(*module.split("."))
            candidates = (base.with_suffix(".py"), base / "__init__.py")
            self._files[module] = next((file for file in candidates if file.is_file()), None)
        return self._files[module]

    def imported_modules(self, module: str) -> frozenset[str]:
        """Project modules outside the kernel that the module imports directly, its parent packages included."""
        if module not in self._imports:
            file = self.module_file(module)
            names: set[str] = set()
            if file is not None:
                syntax = self.syntax.syntax_of(file.read_bytes())
                self._trees[module] = syntax.tree
                names = {module.rpartition(".")[0], *syntax.imports} - {"", module}
            self._imports[module] = frozenset(n for n in names if not _is_kernel(n) and self.module_file(n))
        return self._imports[module]

    def code(self, module: str) -> str:
        """SHA-256 (hex) over the meaning of the module and of every project module it reaches, and the kernel's version."""
        if module not in self._codes:
            reached, todo = set[str](), {module}
            while todo:
                current = todo.pop()
                reached.add(current)
                todo |= self.imported_modules(current) - reached
            trees = [f"{name}\0{self._trees[name]}" for name in sorted(reached) if name in self._trees]
            self._codes[module] = _hashed(f"kernel {KERNEL_VERSION}", *trees)
        return self._codes[module]

    def of(self, module: str, parameters: Mapping[str, Any]) -> str:
        """What decides, beside the upstream versions, whether a table is stale: code and parameter values."""
        return _hashed(self.code(module), json.dumps(dict(parameters), sort_keys=True, default=str))


def metadata_fingerprint(declared: Table) -> str:
    """What Delta, Trino and the docs tell of a table: its description and the comments of its columns."""
    return _hashed(declared.description, *(f"{c.name}\0{c.comment}" for c in declared.columns))


def _is_kernel(module: str) -> bool:
    return module.split(".", maxsplit=1)[0] == KERNEL


def _hashed(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()
