"""The rows of one landing file as staged Parquet, each with where it comes from."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from lakehouse.storage.landed_files import LandedFile


def write_rows(batches: Iterator[pa.RecordBatch], path: Path, file: LandedFile, constants: dict[str, Any]) -> int:
    """Write the batches to one Parquet file; returns the number of rows. No file appears for no rows."""
    rows = 0
    writer: pq.ParquetWriter | None = None
    try:
        for batch in batches:
            table = pa.Table.from_batches([batch])
            numbers = pa.array(range(rows + 1, rows + 1 + batch.num_rows), pa.int64())
            table = table.append_column("file_hash", _constant(file.file_hash, batch.num_rows))
            table = table.append_column("row_number", numbers)
            for name, value in {"source": file.source, "file_name": file.path, **constants}.items():
                table = table.append_column(name, _constant(value, batch.num_rows))
            writer = writer or pq.ParquetWriter(path, table.schema)
            writer.write_table(table)
            rows += batch.num_rows
    finally:
        if writer is not None:
            writer.close()
    return rows


def _constant(value: Any, length: int) -> pa.Array:
    return pa.repeat(pa.scalar(value), length)
