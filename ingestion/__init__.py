"""One module a source of listening data: it finds and parses files into typed rows, and knows nothing of Delta.

A module that defines `SOURCES` is found by itself: the next source is one module and one test. Sources of listening
history state in their module what their rows mean (`ingestion.history_source`). A module that defines `EXPLAINERS` knows
files that are not read.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections import Counter
from types import ModuleType

from ingestion.history_source import SourceFacts, facts_of
from lakehouse.declare import DeclarationError, Explainer, Source

REQUIRED = ("name", "target", "recognises", "read")


def sources(target: str) -> list[Source]:
    """Every source whose rows go to the bronze table `target`, in the order of their names.

    Raises DeclarationError for a source that lacks a part, and for a name that two sources have.
    """
    declared = [source for module in _modules() for source in getattr(module, "SOURCES", ())]
    for source in declared:
        if missing := [part for part in REQUIRED if not hasattr(source, part)]:
            raise DeclarationError(f"source {type(source).__module__}.{type(source).__name__}: {missing[0]} is not stated")
    if taken := [name for name, number in Counter(source.name for source in declared).items() if number > 1]:
        raise DeclarationError(f"two sources are named {taken[0]}")
    return sorted((source for source in declared if source.target == target), key=lambda source: str(source.name))


def history_facts() -> tuple[SourceFacts, ...]:
    """What every source of listening history states. Raises DeclarationError for a fact that is missing or contradicted."""
    return facts_of(sources("listening_history"))


def explainers() -> list[Explainer]:
    """Everything that knows files which no source reads, the first to be asked first."""
    return [explainer for module in _modules() for explainer in getattr(module, "EXPLAINERS", ())]


def _modules() -> list[ModuleType]:
    return [importlib.import_module(f"{__name__}.{module.name}") for module in pkgutil.iter_modules(__path__)]
