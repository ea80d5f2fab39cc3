"""Reading what a section draws: a listener's rows of a gold table, a few columns of them."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import pyarrow.dataset as ds

from lakehouse.storage import delta
from report.listeners import Listener

Row = dict[str, Any]


class Reader:
    """The tables of a lakehouse as one listener sees them."""

    def __init__(self, root: Path, listener: Listener, made_at: dt.datetime) -> None:
        """`made_at` is the time for which the report holds."""
        self.root, self.listener, self.made_at = root, listener, made_at

    def rows(self, table: str, columns: list[str], where: ds.Expression | None = None) -> list[Row]:
        """The listener's rows of `layer.table`, in no order; none where the table is not built."""
        mine = ds.field("user_id") == self.listener.name
        return delta.read_rows(self._path(table), columns, mine if where is None else mine & where)

    def is_built(self, table: str) -> bool:
        """Whether the table is there at all."""
        return delta.version(self._path(table)) is not None

    def scan(self, table: str, columns: list[str], where: ds.Expression) -> ds.Scanner:
        """The listener's rows as a stream of batches, for a table that is too large to hold."""
        mine = (ds.field("user_id") == self.listener.name) & where
        return delta.dataset(self._path(table)).scanner(columns=columns, filter=mine, batch_readahead=2)

    def _path(self, table: str) -> Path:
        layer, _, name = table.partition(".")
        return self.root / layer / name
