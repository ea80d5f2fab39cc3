"""Tables as they were at one moment: what an answer is computed from, and what it says it was computed from."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.dataset as ds
from deltalake import DeltaTable

from lakehouse.storage import delta

Row = dict[str, Any]


class _Opened(NamedTuple):
    table: DeltaTable
    newest: delta.Newest
    path: Path


class Snapshots:
    """The newest versions of some tables of the lakehouse at `root`, opened once: later commits change no answer."""

    def __init__(self, root: Path, tables: Sequence[str]) -> None:
        self._tables = {name: _open(root.joinpath(*name.split("."))) for name in tables}

    @property
    def versions(self) -> dict[str, int | None]:
        """The Delta version of each table; None for one that is not built."""
        return {name: None if opened is None else opened.table.version() for name, opened in self._tables.items()}

    @property
    def digest(self) -> str:
        """Another text whenever a table is another, also one made anew with the same version."""
        newest = {name: opened and (opened.newest.version, opened.newest.modified_ns) for name, opened in self._tables.items()}
        return hashlib.sha256(repr(sorted(newest.items())).encode()).hexdigest()[:32]

    def read(self, table: str, listener: str, columns: Sequence[str], where: ds.Expression | None = None) -> pa.Table:
        """The listener's rows, in no order; none where the table is not built.

        Arrow reads only row groups whose statistics may hold the listener. Raises FileNotFoundError if a file was removed since.
        """
        opened = self._tables[table]
        if opened is None:
            return pa.table({name: pa.array([], pa.null()) for name in columns})
        mine = ds.field("user_id") == listener
        return delta.dataset_of(opened.table, opened.path).to_table(
            columns=list(columns), filter=mine if where is None else mine & where
        )

    def rows(self, table: str, listener: str, columns: Sequence[str], where: ds.Expression | None = None) -> list[Row]:
        """The same as dictionaries."""
        rows: list[Row] = self.read(table, listener, columns, where).to_pylist()
        return rows


def _open(path: Path) -> _Opened | None:
    newest = delta.newest_commit(path)
    return None if newest is None else _Opened(delta.opened_at(newest), newest, path)
