"""Tables that are only values: names, upstreams and flags, for tests of what decides by these alone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from lakehouse.declare import REGISTRY, Table, column
from lakehouse.declare.table import Retrain


def _from_tables() -> None:
    """A transform; never called."""


def _from_files(landed: Any) -> None:
    """A transform of landing files; never called."""


def a_table(name: str, *upstreams: str, is_landing: bool = False, is_kernel: bool = False, **changes: Any) -> Table:
    """A table of these upstreams (short names); of layer `models`, a model. `changes` are fields of Table."""
    layer = name.partition(".")[0]
    values: dict[str, Any] = {
        "name": name,
        "key": ("user_id",),
        "scope": "user",
        "columns": (column("user_id", "string", "who"),),
        "transform": None if is_kernel else _from_files if is_landing else _from_tables,
        "description": "One row per user.",
        "category": layer,
        "upstreams": upstreams,
        "retrain": Retrain(share=0.1, days=90) if layer == "models" else None,
    }
    return Table(**(values | changes))


@contextmanager
def registered(tables: Sequence[Table]) -> Iterator[dict[str, Table]]:
    """These tables, and no others, stand in the registry while the block runs; by name."""
    before = dict(REGISTRY)
    REGISTRY.clear()
    REGISTRY.update({table.name: table for table in tables})
    try:
        yield {table.name: table for table in tables}
    finally:
        REGISTRY.clear()
        REGISTRY.update(before)
