"""One module a source of listening data: it finds and parses files into typed rows, and knows nothing of Delta.

A module that defines `SOURCES` is found by itself: the next source is one module and one test.
"""

from __future__ import annotations

import importlib
import pkgutil

from lakehouse.declare import Source


def sources(target: str) -> list[Source]:
    """Every source whose rows go to the bronze table `target`, in the order of their names."""
    modules = [importlib.import_module(f"{__name__}.{m.name}") for m in pkgutil.iter_modules(__path__)]
    found = [source for module in modules for source in getattr(module, "SOURCES", ()) if source.target == target]
    return sorted(found, key=lambda source: source.name)
