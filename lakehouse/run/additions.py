"""Writing the product's own ops tables, where what they are to hold differs from what they hold."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from lakehouse.declare.table import Table
from lakehouse.run.context import RunContext
from lakehouse.storage import delta, publishing


def write_additions(context: RunContext, contents: Iterable[tuple[Table, Sequence[Mapping[str, Any]] | None]]) -> None:
    """Create the tables that are not there, and replace the rows of those that changed, in one commit each."""
    for declared, rows in contents:
        path = context.lakehouse.path(declared)
        if context.lakehouse.version(declared) is None:
            publishing.create(path, declared)
        if rows is not None and _sorted(declared, rows) != _sorted(declared, delta.read_rows(path, _names(declared))):
            lineage = {"_run_id": context.run_id, "_built_at": context.started_at}
            publishing.append_rows(path, declared, [dict(row) | lineage for row in rows], replace="true")


def _names(declared: Table) -> list[str]:
    return [column.name for column in declared.columns]


def _sorted(declared: Table, rows: Iterable[Mapping[str, Any]]) -> list[tuple[Any, ...]]:
    """The values of the rows by key; a column that a row leaves out is null."""
    names = _names(declared)
    # Columns of a key are never null, so these values can be compared.
    in_order = sorted(rows, key=lambda row: [row[name] for name in declared.key])
    return [tuple(row.get(name) for name in names) for row in in_order]
