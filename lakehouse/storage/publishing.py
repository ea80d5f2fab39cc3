"""Making rows part of a Delta table, each time in one commit: staged Parquet, small rows of the ledger, changed comments."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.dataset as ds
from deltalake import CommitProperties, DeltaTable, Field, Schema, write_deltalake
from deltalake.exceptions import CommitFailedError

from lakehouse.declare.table import Table
from lakehouse.storage.changes import NOTHING, metadata_of
from lakehouse.storage.delta import BATCH_ROWS, arrow_schema, opened, row_total, same_schema, uncommented, version
from lakehouse.storage.parquet_commit import adopt

# The log is what tells a table which keys changed since it last looked; a table not run for longer rebuilds whole.
CONFIGURATION: Mapping[str, str | None] = {"delta.logRetentionDuration": "interval 365 days"}
COMMIT_ATTEMPTS = 5


@dataclass(frozen=True)
class Publication:
    """How staged rows become part of a table: the arguments of `publish` that say so."""

    predicate: str | None
    metadata: str
    append: bool
    replaced_rows: int | None


def create(path: Path, declared: Table) -> None:
    """Create the empty table with comments, NOT NULL and its description."""
    DeltaTable.create(
        path,
        schema=arrow_schema(declared),
        mode="ignore",
        **_creation(declared),
    )


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


def describe(path: Path, declared: Table, run_id: str) -> int:
    """Bring the comments of a built table's columns and its description to what is declared: a commit for each that differs.

    No row changes, and the commits say so. Columns that the table lacks or has beside the declared ones stay as they are.
    Returns the table's version afterwards.
    """
    present = {field.name: field.metadata for field in opened(path).schema().fields}
    wanted = {field.name: field.metadata for field in Schema.from_arrow(arrow_schema(declared)).fields}
    changed = {name: metadata for name, metadata in wanted.items() if name in present and present[name] != metadata}
    has_description = opened(path).metadata().description == declared.description
    if changed or not has_description:
        table = DeltaTable(path)
        commit = CommitProperties(custom_metadata={"userMetadata": metadata_of(declared, NOTHING, run_id, {})})
        for name, metadata in changed.items():
            table.alter.set_column_metadata(name, metadata, commit_properties=commit)
        if not has_description:
            table.alter.set_table_description(declared.description, commit_properties=commit)
    return opened(path).version()


def _as_declared(batch: pa.RecordBatch, wanted: pa.Schema) -> pa.RecordBatch:
    arrays = [batch.column(field.name).cast(field.type) for field in wanted]
    return pa.RecordBatch.from_arrays(arrays, schema=wanted)


def append_rows(
    path: Path,
    declared: Table,
    rows: list[dict[str, Any]] | pa.Table,
    *,
    replace: str | None = None,
    metadata: str | None = None,
) -> None:
    """Append small rows (or replace those where `replace` holds) in one commit; creates the table when it is not there.

    An Arrow table has the declared columns and lineage, in their order. `metadata` (of `metadata_of`) says what the commit
    changes; without it the commit counts as changing everything.
    """
    commit = CommitProperties(custom_metadata={"userMetadata": metadata}) if metadata else None
    wanted = arrow_schema(declared)
    table = rows.cast(wanted) if isinstance(rows, pa.Table) else pa.Table.from_pylist(rows, schema=wanted)
    if exists := version(path) is not None:
        # A table of an older version has other comments, and perhaps fewer columns.
        _add_columns(path, declared)
        table = table.cast(uncommented(table.schema))
    if replace and exists:
        write_deltalake(path, table, mode="overwrite", predicate=replace, commit_properties=commit)
    else:
        _append(path, declared, table, commit, exists=exists)
