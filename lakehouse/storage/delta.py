"""Delta tables without an engine: versions, change scopes, publishing, small reads; all through delta-rs."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq
from deltalake import CommitProperties, DeltaTable, Field, Schema, write_deltalake
from deltalake.exceptions import CommitFailedError, TableNotFoundError
from pyarrow.fs import LocalFileSystem, SubTreeFileSystem

from lakehouse.declare.table import LINEAGE, Table
from lakehouse.storage.parquet_commit import adopt

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
# The log is what tells a table which keys changed since it last looked; a table not run for longer rebuilds whole.
CONFIGURATION: Mapping[str, str | None] = {"delta.logRetentionDuration": "interval 365 days"}
COMMIT_ATTEMPTS = 5
BATCH_ROWS = 131_072
# Operations that rearrange files and change no row.
NO_CHANGE = ("OPTIMIZE", "VACUUM START", "VACUUM END", "CREATE TABLE", "SET TBLPROPERTIES")


@dataclass(frozen=True)
class Change:
    """What a commit changed: the values of the table's scope column, or everything when `keys` is None."""

    keys: frozenset[str] | None

    def __or__(self, other: Change) -> Change:
        return EVERYTHING if self.keys is None or other.keys is None else Change(self.keys | other.keys)

    def __bool__(self) -> bool:
        return self.keys is None or bool(self.keys)

    def to_json(self) -> list[str] | None:
        return None if self.keys is None else sorted(self.keys)

    @staticmethod
    def from_json(keys: list[str] | None) -> Change:
        return EVERYTHING if keys is None else Change(frozenset(keys))


@dataclass(frozen=True)
class Publication:
    """How staged rows become part of a table: the arguments of `publish` that say so."""

    predicate: str | None
    metadata: str
    append: bool
    replaced_rows: int | None


EVERYTHING = Change(None)
NOTHING = Change(frozenset())


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


def _newest(path: Path) -> Newest | None:
    """From the log's folder: a run asks hundreds of times, and opening a table takes milliseconds of one core."""
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
    newest = _newest(path)
    return newest.version if newest else None


@lru_cache(maxsize=256)
def _opened(newest: Newest) -> DeltaTable:
    return DeltaTable(newest.path, version=newest.version)


def opened(path: Path) -> DeltaTable:
    """The newest version of the Delta table at `path`, to read from only: others may hold it too. Raises TableNotFoundError."""
    newest = _newest(path)
    if newest is None:
        raise TableNotFoundError(f"no Delta table at {path}")
    return _opened(newest)


@lru_cache(maxsize=256)
def _commits(newest: Newest) -> dict[int, dict[str, Any]]:
    """What each commit says of itself, by version."""
    return {commit["version"]: commit for commit in DeltaTable(newest.path).history()}


def change_since(path: Path, consumed: int, newest: int) -> Change:
    """The union of what the commits after `consumed` up to `newest` changed; an unknown commit changed everything."""
    if newest == consumed:
        return NOTHING
    if newest < consumed:
        return EVERYTHING
    # From the newest commit there is: history of an older version counts from the wrong end.
    last = _newest(path)
    commits = _commits(last) if last else {}
    change = NOTHING
    for number in range(consumed + 1, newest + 1):
        change |= _change_of(commits.get(number))
    return change


def _change_of(commit: Mapping[str, Any] | None) -> Change:
    if commit is None:
        return EVERYTHING
    try:
        return Change.from_json(json.loads(commit["userMetadata"])["changed"])
    except (KeyError, ValueError, TypeError):
        return NOTHING if commit.get("operation") in NO_CHANGE else EVERYTHING


def metadata_of(declared: Table, change: Change, run_id: str, upstreams: Mapping[str, int]) -> str:
    """The JSON stored with a commit: what changed, the run, and the upstream versions it was computed from."""
    content = {"column": declared.scope_column, "changed": change.to_json(), "run_id": run_id, "upstreams": dict(upstreams)}
    return json.dumps(content, sort_keys=True)


def quoted_in(column: str, values: Iterable[str]) -> str:
    """SQL predicate `column IN (...)` with quotes in values escaped."""
    listed = ", ".join("'" + value.replace("'", "''") + "'" for value in sorted(values))
    return f"{column} IN ({listed})"


def create(path: Path, declared: Table) -> None:
    """Create the empty table with comments, NOT NULL and its description."""
    DeltaTable.create(
        path,
        schema=arrow_schema(declared),
        mode="ignore",
        **_creation(declared),
    )


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
    found = json.loads(opened(path).schema().to_json())["fields"]
    return bool(found == wanted)


def publish(
    path: Path,
    declared: Table,
    staged: Path,
    predicate: str | None,
    metadata: str,
    *,
    append: bool = False,
    replaced_rows: int | None = None,
) -> int:
    """Make staged Parquet the table's content (or the content where `predicate` holds) in one commit; returns its version.

    Creates the table in that same commit when it is not there. `replaced_rows` tells how many rows the predicate holds
    for, if known: when these are all, the staged files become the table's as they are. Raises CommitFailedError after
    repeated conflicts, DeltaError for a null in a column that is NOT NULL.
    """
    wanted = arrow_schema(declared)
    files = sorted(staged.glob("*.parquet"))
    exists = version(path) is not None
    if exists and (append or predicate):
        _add_columns(path, declared)
    has_schema = exists and same_schema(path, declared)
    is_whole = predicate is None or (exists and replaced_rows == row_total(path))
    for attempt in range(COMMIT_ATTEMPTS):
        commit = CommitProperties(custom_metadata={"userMetadata": metadata}, max_commit_retries=0)
        try:
            if files and (not exists or (has_schema and (append or is_whole))):
                adopt(path, files, wanted, commit, append=append, creation={} if exists else _creation(declared))
            else:
                _write(path, declared, files, predicate, commit, append=append, exists=exists)
            break
        except CommitFailedError:
            if attempt == COMMIT_ATTEMPTS - 1:
                raise
    return opened(path).version()


def _write(
    path: Path,
    declared: Table,
    files: list[Path],
    predicate: str | None,
    commit: CommitProperties,
    *,
    append: bool,
    exists: bool,
) -> None:
    """Write the staged rows again as the table's: for files that hold replaced and other rows, and for a changed schema."""
    # delta-rs refuses to add rows to a table of an older version, whose comments differ; it keeps those.
    wanted = uncommented(arrow_schema(declared)) if exists and (append or predicate) else arrow_schema(declared)
    staged = ds.dataset(files, format="parquet", schema=wanted.remove_metadata()) if files else None
    batches = staged.scanner(batch_size=BATCH_ROWS).to_batches() if staged else iter(())
    stream = pa.RecordBatchReader.from_batches(wanted, (_as_declared(batch, wanted) for batch in batches))
    if append or not exists:
        _append(path, declared, stream, commit, exists=exists)
    elif predicate:
        write_deltalake(path, stream, mode="overwrite", predicate=predicate, commit_properties=commit)
    else:
        write_deltalake(path, stream, mode="overwrite", schema_mode="overwrite", commit_properties=commit)


def _creation(declared: Table) -> dict[str, Any]:
    """What the commit that creates a table says of it."""
    return {"name": declared.name, "description": declared.description, "configuration": CONFIGURATION}


def _append(path: Path, declared: Table, rows: Any, commit: CommitProperties | None = None, *, exists: bool) -> None:
    """Append; the commit that creates the table carries its description."""
    write_deltalake(path, rows, mode="append", commit_properties=commit, **({} if exists else _creation(declared)))


def _add_columns(path: Path, declared: Table) -> None:
    """Add declared columns that a table kept by file does not have yet; older rows have null there."""
    have = {field.name for field in opened(path).schema().fields}
    wanted = Schema.from_arrow(arrow_schema(declared))
    missing = [Field(f.name, f.type, nullable=True, metadata=f.metadata) for f in wanted.fields if f.name not in have]
    if missing:
        DeltaTable(path).alter.add_columns(missing)


def describe(path: Path, declared: Table, run_id: str) -> None:
    """Bring the comments of a built table's columns and its description to what is declared: a commit for each that differs.

    No row changes, and the commits say so. Columns that the table lacks or has beside the declared ones stay as they are.
    """
    table = DeltaTable(path)
    commit = CommitProperties(custom_metadata={"userMetadata": metadata_of(declared, NOTHING, run_id, {})})
    have = {field.name: field.metadata for field in table.schema().fields}
    for field in Schema.from_arrow(arrow_schema(declared)).fields:
        if field.name in have and have[field.name] != field.metadata:
            table.alter.set_column_metadata(field.name, field.metadata, commit_properties=commit)
    if table.metadata().description != declared.description:
        table.alter.set_table_description(declared.description, commit_properties=commit)


def _as_declared(batch: pa.RecordBatch, wanted: pa.Schema) -> pa.RecordBatch:
    arrays = [batch.column(field.name).cast(field.type) for field in wanted]
    return pa.RecordBatch.from_arrays(arrays, schema=wanted)


def append_rows(path: Path, declared: Table, rows: list[dict[str, Any]], *, replace: str | None = None) -> None:
    """Append small rows (or replace those where `replace` holds) in one commit; creates the table when it is not there."""
    table = pa.Table.from_pylist(rows, schema=arrow_schema(declared))
    if exists := version(path) is not None:
        # A table of an older version has other comments, and perhaps fewer columns.
        _add_columns(path, declared)
        table = table.cast(uncommented(table.schema))
    if replace and exists:
        write_deltalake(path, table, mode="overwrite", predicate=replace)
    else:
        _append(path, declared, table, exists=exists)


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
