"""Delta tables without an engine: versions, change scopes, publishing, small reads; all through delta-rs."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq
from deltalake import DeltaTable, Schema
from deltalake.exceptions import TableNotFoundError
from pyarrow.fs import LocalFileSystem, SubTreeFileSystem

from lakehouse.declare.table import LINEAGE, Table

COMMIT_FILE = re.compile(r"\d{20}\.json")
ARROW_TYPES = {
    "string": pa.string(),
    "int": pa.int32(),
    "bigint": pa.int64(),
    "double": pa.float64(),
    "boolean": pa.bool_(),
    "date": pa.date32(),
    "timestamp": pa.timestamp("us", "UTC"),
    "array<string>": pa.list_(pa.string()),
    "array<double>": pa.list_(pa.float64()),
}
BATCH_ROWS = 131_072


def arrow_schema(declared: Table) -> pa.Schema:
    """The table's Arrow schema with comments and NOT NULL, lineage columns last.

    Arrays are nullable whatever is declared, and a rule of the table sees to it: the embedded engine writes them as
    nullable, and refuses to read such a file as a column that is not.
    """
    fields = [
        pa.field(c.name, ARROW_TYPES[c.type], c.nullable or c.type.startswith("array"), {"comment": c.comment})
        for c in declared.columns
    ]
    lineage = {
        LINEAGE[0]: ("run that wrote the row", pa.string()),
        LINEAGE[1]: ("start of that run, UTC", pa.timestamp("us", "UTC")),
    }
    fields += [pa.field(name, kind, True, {"comment": comment}) for name, (comment, kind) in lineage.items()]
    return pa.schema(fields)


def uncommented(schema: pa.Schema) -> pa.Schema:
    """The schema without the columns' comments."""
    return pa.schema([field.remove_metadata() for field in schema])


class Newest(NamedTuple):
    """The newest commit of a Delta table, told apart from another of that number in a table made anew at that path."""

    path: Path
    version: int
    modified_ns: int


def newest_commit(path: Path) -> Newest | None:
    """The newest commit of a table; None where there is no table.

    Read from the log's folder: a run asks hundreds of times, and opening a table takes milliseconds of one core.
    """
    try:
        commits = [file for file in (path / "_delta_log").iterdir() if COMMIT_FILE.fullmatch(file.name)]
        if not commits:
            return None
        last = max(commits)
        return Newest(path, int(last.stem), last.stat().st_mtime_ns)
    except (FileNotFoundError, NotADirectoryError):
        return None


def version(path: Path) -> int | None:
    """The newest version of the Delta table at `path`; None where there is no table."""
    newest = newest_commit(path)
    return newest.version if newest else None


@lru_cache(maxsize=256)
def _opened(newest: Newest) -> DeltaTable:
    return DeltaTable(newest.path, version=newest.version)


def opened(path: Path) -> DeltaTable:
    """The newest version of the Delta table at `path`, to read from only: others may hold it too. Raises TableNotFoundError."""
    newest = newest_commit(path)
    if newest is None:
        raise TableNotFoundError(f"no Delta table at {path}")
    return _opened(newest)


def is_before_checkpoint(path: Path, version: int) -> bool:
    """Whether the log's last checkpoint is of a later version. Raises OSError."""
    try:
        last = json.loads((path / "_delta_log" / "_last_checkpoint").read_bytes())
    except FileNotFoundError:
        return False
    return int(last["version"]) > version


def files_at(path: Path, version: int) -> list[str]:
    """The paths of a version's Parquet files."""
    return [str(path / name) for name in DeltaTable(path, version=version).get_add_actions()["path"].to_pylist()]


def columns_at(path: Path, version: int) -> dict[str, str]:
    """Spark SQL type of every column of a version."""
    fields = json.loads(DeltaTable(path, version=version).schema().to_json())["fields"]
    return {field["name"]: _spark_type(field["type"]) for field in fields}


def _spark_type(kind: Any) -> str:
    if isinstance(kind, dict):
        return f"array<{_spark_type(kind['elementType'])}>"
    return {"long": "bigint", "integer": "int"}.get(kind, str(kind))


def quoted_in(column: str, values: Iterable[str]) -> str:
    """SQL predicate `column IN (...)` with quotes in values escaped."""
    listed = ", ".join("'" + value.replace("'", "''") + "'" for value in sorted(values))
    return f"{column} IN ({listed})"


def types_of(declared: Table) -> dict[str, str]:
    """Spark SQL type of every column, lineage included."""
    return {**{c.name: c.type for c in declared.columns}, LINEAGE[0]: "string", LINEAGE[1]: "timestamp"}


def ddl(declared: Table) -> str:
    """The table's columns and lineage as Spark SQL DDL."""
    return ", ".join(f"`{name}` {kind}" for name, kind in types_of(declared).items())


def same_schema(path: Path, declared: Table) -> bool:
    """Whether the table is there with the declared columns, types, nullability and comments."""
    if version(path) is None:
        return False
    wanted = json.loads(Schema.from_arrow(arrow_schema(declared)).to_json())["fields"]
    present = json.loads(opened(path).schema().to_json())["fields"]
    return bool(present == wanted)


def kept_columns(path: Path, declared: Table) -> set[str]:
    """Names of the declared columns that the table at `path` has already, in the declared type."""
    wanted = {field["name"]: field["type"] for field in json.loads(Schema.from_arrow(arrow_schema(declared)).to_json())["fields"]}
    present = json.loads(opened(path).schema().to_json())["fields"]
    return {field["name"] for field in present if _element(wanted.get(field["name"])) == _element(field["type"])}


def _element(kind: Any) -> Any:
    """A type of a Delta schema without whether an array's elements may be null, which differs between writers."""
    return ("array", kind["elementType"]) if isinstance(kind, dict) else kind


def dataset(path: Path) -> ds.Dataset:
    """The newest version of the Delta table at `path`, as an Arrow dataset. Raises TableNotFoundError.

    Arrow reads the files itself: delta-rs' own file system is Python code, which Arrow's threads may still call while the
    interpreter ends, and that aborts the process (apache/arrow#34314).
    """
    files = SubTreeFileSystem(str(path), LocalFileSystem())
    return opened(path).to_pyarrow_dataset(filesystem=files)


def read_rows(path: Path, columns: list[str] | None = None, where: ds.Expression | None = None) -> list[dict[str, Any]]:
    """All rows of a small table (ops) as dictionaries; empty where there is no table.

    `columns` that a table of an older version lacks are None.
    """
    if version(path) is None:
        return []
    table = dataset(path)
    there = None if columns is None else [name for name in columns if name in table.schema.names]
    rows: list[dict[str, Any]] = table.to_table(columns=there, filter=where).to_pylist()
    return rows if columns is None else [{name: row.get(name) for name in columns} for row in rows]


def holds_any(path: Path, column: str, values: list[str]) -> bool:
    """Whether any row of the table has one of the values in `column`."""
    if not values or version(path) is None:
        return False
    rows = dataset(path).filter(ds.field(column).isin(values))
    return bool(rows.head(1, columns=[column]).num_rows)


def staged_rows(staged: Path) -> int:
    """Rows of staged Parquet files, from their footers alone."""
    return sum(pq.read_metadata(file).num_rows for file in staged.glob("*.parquet"))


def row_total(path: Path) -> int:
    """Rows of the table, from the log alone."""
    return int(opened(path).count())


def to_json(versions: Mapping[str, int | None]) -> str:
    """Upstream versions as they stand in ops.table_builds."""
    return json.dumps(dict(versions), sort_keys=True)
