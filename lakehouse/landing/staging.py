"""The rows of one landing file as staged Parquet, each with where it comes from."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from lakehouse.declare.table import LISTENER
from lakehouse.storage.landed_files import LandedFile


class Staged(NamedTuple):
    """The rows of a file: all that were read, and those of them that were left out, as their listeners are forgotten."""

    rows: int
    forgotten: int


def write_rows(
    batches: Iterator[pa.RecordBatch],
    path: Path,
    file: LandedFile,
    constants: dict[str, Any],
    is_forgotten: Callable[[str], bool] | None = None,
) -> Staged:
    """Write the batches to one Parquet file, without rows of listeners who are forgotten. No file appears for no rows."""
    rows = forgotten = 0
    writer: pq.ParquetWriter | None = None
    try:
        for batch in batches:
            table = pa.Table.from_batches([batch])
            numbers = pa.array(range(rows + 1, rows + 1 + batch.num_rows), pa.int64())
            table = table.append_column("file_hash", _constant(file.file_hash, batch.num_rows))
            table = table.append_column("row_number", numbers)
            for name, value in {"source": file.source, "file_name": file.path, **constants}.items():
                table = table.append_column(name, _constant(value, batch.num_rows))
            rows += batch.num_rows
            if is_forgotten is not None:
                table = _without(table, is_forgotten)
                forgotten += batch.num_rows - table.num_rows
            if table.num_rows or not batch.num_rows:
                writer = writer or pq.ParquetWriter(path, table.schema)
                writer.write_table(table)
    finally:
        if writer is not None:
            writer.close()
    return Staged(rows, forgotten)


def _without(table: pa.Table, is_forgotten: Callable[[str], bool]) -> pa.Table:
    """The rows without those of listeners who are forgotten; rows that name no listener stay."""
    if LISTENER not in table.column_names:
        return table
    names = [name for name in table[LISTENER].unique().to_pylist() if name is not None and is_forgotten(name)]
    return table.filter(pc.invert(pc.is_in(table[LISTENER], pa.array(names, pa.string())))) if names else table


def _constant(value: Any, length: int) -> pa.Array:
    return pa.repeat(pa.scalar(value), length)
