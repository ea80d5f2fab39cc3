"""Writers of the export: one table after the other, each from a stream of record batches."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

from lakehouse.cli.sanitize import FORMULA
from lakehouse.declare.table import Table

ISO_UTC = "%Y-%m-%dT%H:%M:%SZ"


class Writer(Protocol):
    """Writes tables to a place that is not there yet; a context manager."""

    def __enter__(self) -> Writer: ...
    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None: ...
    def write(self, declared: Table, rows: pa.RecordBatchReader) -> int | None:
        """Write a table; returns its bytes where it has a file of its own."""


class Files:
    """A folder with one file a table."""

    ending = ""

    def __init__(self, folder: Path, *, is_raw: bool) -> None:
        self.folder, self.is_raw = folder, is_raw

    def __enter__(self) -> Writer:
        self.folder.mkdir()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Every file is closed when its table is written."""

    def write(self, declared: Table, rows: pa.RecordBatchReader) -> int | None:
        path = self.folder / f"{declared.name}.{self.ending}"
        self.fill(path, declared, rows)
        return path.stat().st_size

    def fill(self, path: Path, declared: Table, rows: pa.RecordBatchReader) -> None:
        raise NotImplementedError


class ParquetFiles(Files):
    """Parquet with zstd; column comments and the table's description are in the schema's metadata."""

    ending = "parquet"

    def fill(self, path: Path, declared: Table, rows: pa.RecordBatchReader) -> None:
        comments = {c.name: c.comment for c in declared.columns}
        fields = [field.with_metadata({"comment": comments[field.name]}) for field in rows.schema]
        schema = pa.schema(fields, {"description": declared.description})
        with pq.ParquetWriter(path, schema, compression="zstd") as writer:
            for batch in rows:
                writer.write_batch(pa.RecordBatch.from_arrays(batch.columns, schema=schema))


class CsvFiles(Files):
    """CSV in UTF-8 (RFC 4180): text quoted, null an empty field without quotes, instants ISO 8601 in UTC, lists as JSON.

    Text from outside that a spreadsheet would run as a formula gets an apostrophe in front, unless `is_raw`.
    """

    ending = "csv"

    def fill(self, path: Path, declared: Table, rows: pa.RecordBatchReader) -> None:
        schema = pa.schema([pa.field(f.name, _csv_type(f.type)) for f in rows.schema])
        with pa_csv.CSVWriter(path, schema) as writer:
            for batch in rows:
                columns = [self.as_text(column) for column in batch.columns]
                writer.write_batch(pa.RecordBatch.from_arrays(columns, schema=schema))

    def as_text(self, column: pa.Array) -> pa.Array:
        """The column as CSV holds it."""
        if pa.types.is_timestamp(column.type):
            return pc.strftime(column, ISO_UTC)
        if pa.types.is_nested(column.type):
            return pa.array([None if v is None else json.dumps(v, ensure_ascii=False, default=str) for v in column.to_pylist()])
        if not _is_text(column.type):
            return column
        text = column.cast(pa.string())
        return text if self.is_raw else pc.if_else(pc.match_substring_regex(text, FORMULA), _with_apostrophe(text), text)


def _with_apostrophe(text: pa.Array) -> pa.Array:
    return pc.binary_join_element_wise(pa.scalar("'"), text, pa.scalar(""))


def _is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind))


def _csv_type(kind: pa.DataType) -> pa.DataType:
    return pa.string() if pa.types.is_timestamp(kind) or pa.types.is_nested(kind) or _is_text(kind) else kind


class DuckDb:
    """One database file with a schema a layer, and the comments of tables and columns."""

    def __init__(self, path: Path, *, is_raw: bool) -> None:
        del is_raw
        self.path = path

    def __enter__(self) -> Writer:
        import duckdb

        # Time zones are built in; without these two a missing extension would be fetched from the internet.
        config: dict[str, str | bool | int | float | list[str]] = {
            "autoinstall_known_extensions": "false",
            "autoload_known_extensions": "false",
        }
        self.database = duckdb.connect(str(self.path), config=config)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.database.close()

    def write(self, declared: Table, rows: pa.RecordBatchReader) -> int | None:
        import duckdb

        name = ".".join(_quoted(part) for part in (declared.layer, declared.short_name))
        try:
            self.database.execute(f"CREATE SCHEMA IF NOT EXISTS {_quoted(declared.layer)}")
            self.database.register("rows_to_export", rows)
            # Names are identifiers of declarations, quoted; DuckDB takes no parameters there.
            self.database.execute(f"CREATE TABLE {name} AS SELECT * FROM rows_to_export")  # noqa: S608
            self.database.unregister("rows_to_export")
            self.database.execute(f"COMMENT ON TABLE {name} IS {_literal(declared.description)}")
            for column in declared.columns:
                if column.name in rows.schema.names:
                    self.database.execute(f"COMMENT ON COLUMN {name}.{_quoted(column.name)} IS {_literal(column.comment)}")
        except duckdb.IOException as error:
            raise OSError(str(error)) from error
        return None


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


WRITERS: dict[str, Callable[..., Any]] = {"parquet": ParquetFiles, "csv": CsvFiles, "duckdb": DuckDb}
