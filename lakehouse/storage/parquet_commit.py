"""Making Parquet files that an engine wrote part of a Delta table as they are, without writing their rows again."""

from __future__ import annotations

import json
import uuid
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from deltalake import CommitProperties, DeltaTable, Schema
from deltalake.exceptions import DeltaError
from deltalake.transaction import AddAction, create_table_with_add_actions


def adopt(
    path: Path,
    files: list[Path],
    schema: pa.Schema,
    commit: CommitProperties,
    *,
    append: bool,
    creation: dict[str, Any],
) -> None:
    """Move the files into the table at `path` and commit them: beside its files (`append`), or instead of them all.

    `creation` (name, description, configuration) describes a table that is not there yet. Raises DeltaError when a
    column of `schema` that is NOT NULL holds nulls, CommitFailedError when another commit came first; the files are
    then still staged.
    """
    adds = [_add_action(file, schema) for file in files]
    path.mkdir(parents=True, exist_ok=True)
    moved = [(file, path / add.path) for file, add in zip(files, adds, strict=True)]
    for staged, target in moved:
        staged.rename(target)
    try:
        if creation:
            create_table_with_add_actions(str(path), Schema.from_arrow(schema), adds, commit_properties=commit, **creation)
        else:
            mode = "append" if append else "overwrite"
            DeltaTable(path).create_write_transaction([*adds], mode, Schema.from_arrow(schema), commit_properties=commit)
    except BaseException:
        for staged, target in moved:
            target.rename(staged)
        raise


def _add_action(file: Path, schema: pa.Schema) -> AddAction:
    footer = pq.read_metadata(file)
    places = {footer.schema.column(number).path: number for number in range(footer.num_columns)}
    for field in schema:
        if not field.nullable and (nulls := _null_count(footer, places, field)):
            raise DeltaError(f"column {field.name} is NOT NULL and {nulls} of {footer.num_rows} rows have no value")
    return AddAction(
        path=f"part-{uuid.uuid4().hex}.parquet",
        size=file.stat().st_size,
        partition_values={},
        modification_time=int(file.stat().st_mtime * 1000),
        data_change=True,
        # Bounds stay in the footers: with bounds of some columns only, delta-rs's dataset finds no rows by the others.
        stats=json.dumps({"numRecords": footer.num_rows}),
    )


def _null_count(footer: pq.FileMetaData, places: dict[str, int], field: pa.Field) -> int:
    """Nulls of a column by the footer alone. Raises DeltaError where it does not tell of a column that must have none."""
    column_statistics = [
        footer.row_group(number).column(places[field.name]).statistics for number in range(footer.num_row_groups)
    ]
    if any(statistics is None or not statistics.has_null_count for statistics in column_statistics):
        raise DeltaError(f"column {field.name} is NOT NULL and its file does not record how many values are missing")
    return sum(statistics.null_count for statistics in column_statistics)
