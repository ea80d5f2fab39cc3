"""The graph of tables, read from the arguments of their transforms."""

from __future__ import annotations

import difflib
import importlib
import pkgutil
import traceback
from collections.abc import Collection, Iterable, Mapping, Sequence
from graphlib import CycleError, TopologicalSorter

from lakehouse.declare.column import DeclarationError
from lakehouse.declare.table import LAYERS, REGISTRY, Table
from lakehouse.storage import ledger

# Of a first build; only their ratio counts.
TABLE_SECONDS, MODEL_SECONDS = 1.0, 4.0
PACKAGES = ("bronze", "silver", "models", "gold", "validators")


class UnknownSelectorError(Exception):
    """A selector names no layer, category or table; the message suggests the nearest names."""


def load() -> dict[str, Table]:
    """Import every module of the layers, so that all tables are declared; returns them by name, upstreams first.

    Raises DeclarationError for a module that cannot be imported, an argument that names no table, and a cycle.
    """
    for package_name in PACKAGES:
        package = importlib.import_module(package_name)
        for module in pkgutil.walk_packages(package.__path__, f"{package_name}."):
            _import(module.name)
    for declared in ledger.TABLES:
        REGISTRY.setdefault(declared.name, declared)
    return {name: REGISTRY[name] for name in ordered(REGISTRY.values())}


def _import(name: str) -> None:
    """Import a module of the layers. Raises DeclarationError, with the line, where it cannot be imported."""
    try:
        importlib.import_module(name)
    except DeclarationError:
        raise
    except Exception as error:
        last = traceback.extract_tb(error.__traceback__)[-1]
        place = f"{last.filename}:{last.lineno}"
        raise DeclarationError(f"{name} cannot be imported: {type(error).__name__}: {error} ({place})") from error


def upstream_names(declared: Table) -> list[str]:
    """Full names of a table's upstreams. Raises DeclarationError for an argument that names no table."""
    names = []
    for short in declared.upstreams:
        upstream = next((name for layer in LAYERS if (name := f"{layer}.{short}") in REGISTRY), None)
        if upstream is None:
            raise DeclarationError(f"{declared.name}: argument {short} names no table")
        names.append(upstream)
    return names


def optional_names(declared: Table) -> frozenset[str]:
    """Full names of the upstream models that a table does without where they could not be trained."""
    return frozenset(name for name in upstream_names(declared) if REGISTRY[name].short_name in declared.optional)


def awaited_names(declared: Table) -> list[str]:
    """Full names of what must have had its turn before this table: its upstreams; every model, for who reads ops.models."""
    names = upstream_names(declared)
    models = [name for name, other in REGISTRY.items() if other.is_model] if ledger.MODELS.name in names else []
    return [*names, *models]


def ordered(tables: Iterable[Table]) -> list[str]:
    """Names in an order in which every table follows its upstreams; the same for the same tables."""
    sorter: TopologicalSorter[str] = TopologicalSorter()
    for declared in sorted(tables, key=lambda t: (LAYERS.index(t.layer), t.name)):
        sorter.add(declared.name, *awaited_names(declared))
    try:
        return list(sorter.static_order())
    except CycleError as error:
        raise DeclarationError(f"tables depend on each other in a circle: {' -> '.join(error.args[1])}") from error


def urgency(names: Iterable[str], seconds: Mapping[str, float]) -> dict[str, float]:
    """Seconds from the start of each table to the end of all that waits for it, by what they took last; guessed where unknown."""
    urgent: dict[str, float] = {}
    for name in reversed(list(names)):
        guess = MODEL_SECONDS if REGISTRY[name].is_model else TABLE_SECONDS
        urgent[name] = urgent.get(name, 0.0) + seconds.get(name, guess)
        for upstream in upstream_names(REGISTRY[name]):
            urgent[upstream] = max(urgent.get(upstream, 0.0), urgent[name])
    return urgent


def needed_for(categories: Collection[str], names: Collection[str]) -> set[str]:
    """Those of `names` that are tables of the categories, or needed by one."""
    reached: set[str] = set()
    todo = [name for name in names if REGISTRY[name].category in categories]
    while todo:
        name = todo.pop()
        if name not in reached:
            reached.add(name)
            todo += upstream_names(REGISTRY[name])
    return reached & set(names)


def matching(tables: dict[str, Table], selectors: Sequence[str]) -> list[str]:
    """Names of the tables that the selectors mean, and no others; every table without a selector. Raises UnknownSelectorError."""
    if not selectors:
        return list(tables)
    chosen: set[str] = set()
    for selector in selectors:
        meant = {n for n, t in tables.items() if selector in (n, t.layer, t.category, t.short_name)}
        if not meant:
            names = {*tables, *(t.layer for t in tables.values()), *(t.category for t in tables.values())}
            close = difflib.get_close_matches(selector, names, 3, 0.5)
            hint = f"; did you mean {' or '.join(close)}?" if close else "; `lakehouse tables` lists them"
            raise UnknownSelectorError(f"{selector!r} is not a layer, category or table{hint}")
        chosen |= meant
    return [name for name in tables if name in chosen]


def select(tables: dict[str, Table], selectors: Sequence[str]) -> list[str]:
    """Names of the tables that the selectors (layer, category such as gold.diagnostic, or table) mean, and all they need.

    Tables of `ops` that are made of chosen tables come with them. No selector means every table. Raises UnknownSelectorError.
    """
    chosen = set(matching(tables, selectors))
    todo = list(chosen)
    while todo:
        needed = set(awaited_names(tables[todo.pop()])) - chosen
        chosen |= needed
        todo += needed
    by_kernel = {name for name, table in tables.items() if table.transform is None}
    # What accounts for the rows of chosen tables, so that no run leaves it out.
    accounts = [t for t in tables.values() if t.layer == "ops" and t.transform]
    chosen |= {t.name for t in accounts if {*upstream_names(t)} <= chosen | by_kernel}
    return [name for name in tables if name in chosen]
