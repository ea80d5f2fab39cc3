"""Removing a listener from Delta tables: rows, then every earlier version, in the log as in the files.

Each table is left with its newest version alone: one clean commit, one checkpoint, and the files that it needs. Whatever is
broken off can be done again, and readers of the newest version see nothing of it.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
from deltalake import CommitProperties, DeltaTable, write_deltalake

from lakehouse.declare.table import LAYERS, LISTENER
from lakehouse.storage import delta
from lakehouse.storage.changes import EVERYTHING
from upkeep.forget_identity import Identity

LOG = "_delta_log"
# Columns that hold a listener's id; `owner` is that of a line of corrections.
LISTENER_COLUMNS = (LISTENER, "owner")
ACCOUNT = "account_id"
# Columns of larger tables that hold a path of the landing folder, which may name a listener.
PATHS = ("file_name", "place")
LISTS = ("pending",)
"""JSON lists of listeners"""
CLEAN = {"userMetadata": json.dumps({"changed": EVERYTHING.to_json()})}


@dataclass(frozen=True)
class Cleaned:
    """What was done to a table."""

    name: str
    rows: int
    """removed"""
    changed: int
    """rows in which a name was replaced"""


def tables_in(lakehouse: Path) -> list[Path]:
    """The folders of all Delta tables, also of those that no code declares any more."""
    return sorted(log.parent for layer in LAYERS for log in (lakehouse / layer).glob(f"*/{LOG}"))


def name_of(table: Path) -> str:
    """Such as gold.top_artists."""
    return f"{table.parent.name}.{table.name}"


def owned_by(table: Path, identity: Identity, spelt: Iterable[str], hashes: Collection[str]) -> ds.Expression | None:
    """Which rows of a table are the listener's; None for a table whose rows name neither listeners, accounts nor files."""
    names = delta.column_names(table)
    wanted = [ds.field(column).isin(list(spelt)) for column in LISTENER_COLUMNS if column in names]
    if ACCOUNT in names and identity.accounts:
        wanted.append(ds.field(ACCOUNT).isin(sorted({account for _, account in identity.accounts})))
    if "file_hash" in names and LISTENER not in names and table.parent.name != "silver" and hashes:
        wanted.append(ds.field("file_hash").isin(list(hashes)))
    total: ds.Expression | None = None
    for one in wanted:
        total = one if total is None else total | one
    return total


def row_count(table: Path, where: ds.Expression | None) -> int:
    """How many rows an expression holds for."""
    return 0 if where is None else int(delta.dataset(table).count_rows(filter=where))


def delete_rows(table: Path, identity: Identity, spelt: Collection[str], hashes: Collection[str]) -> int:
    """Delete the listener's rows in one commit; returns how many there were."""
    where = owned_by(table, identity, spelt, hashes)
    rows = row_count(table, where)
    if rows:
        names = delta.column_names(table)
        parts = [delta.quoted_in(column, spelt) for column in LISTENER_COLUMNS if column in names]
        if ACCOUNT in names and identity.accounts:
            parts.append(delta.quoted_in(ACCOUNT, {account for _, account in identity.accounts}))
        if "file_hash" in names and LISTENER not in names and table.parent.name != "silver" and hashes:
            parts.append(delta.quoted_in("file_hash", hashes))
        DeltaTable(table).delete(" OR ".join(parts))
    return rows


def redact_rows(table: Path, identity: Identity) -> int:
    """Replace the listener's names where they stand in rows of others, such as in paths and messages; returns how many rows."""
    columns = [name for name, kind in _texts(table) if table.parent.name == "ops" or name in PATHS]
    if not columns:
        return 0
    if table.parent.name != "ops":
        return sum(_replace_values(table, column, identity) for column in columns)
    rows = delta.dataset(table).to_table()
    changed, arrays = pa.array([False] * rows.num_rows), dict[str, pa.Array]()
    for column in columns:
        before = rows[column].to_pylist()
        after = [_redacted(column, value, identity) for value in before]
        differs = [left != right for left, right in zip(before, after, strict=True)]
        if any(differs):
            arrays[column] = pa.array(after, pa.string())
            changed = pc.or_(changed, pa.array(differs))
    if not arrays:
        return 0
    for column, values in arrays.items():
        rows = rows.set_column(rows.schema.get_field_index(column), rows.schema.field(column), values)
    write_deltalake(table, rows.cast(delta.uncommented(rows.schema)), mode="overwrite")
    return int(pc.sum(changed).as_py())


def purge(table: Path) -> None:
    """Leave nothing but the newest version: a clean commit, its checkpoint, and its files. Raises DeltaError and OSError."""
    opened = DeltaTable(table)
    opened.create_write_transaction([], "append", opened.schema(), commit_properties=CommitProperties(custom_metadata=CLEAN))
    opened = DeltaTable(table)
    opened.create_checkpoint()
    newest = f"{opened.version():020d}"
    log = table / LOG
    for path in log.iterdir():
        if path.is_file() and not path.name.startswith(newest) and path.name != "_last_checkpoint":
            path.unlink()
    used = {Path(uri.removeprefix("file://")).name for uri in opened.file_uris()}
    for path in [one for one in table.rglob("*") if one.is_file() and log not in one.parents]:
        if path.name not in used:
            path.unlink()


def _texts(table: Path) -> list[tuple[str, str]]:
    fields = json.loads(DeltaTable(table).schema().to_json())["fields"]
    return [(field["name"], field["type"]) for field in fields if field["type"] == "string"]


def _replace_values(table: Path, column: str, identity: Identity) -> int:
    """Replace the values of one column that name the listener, one commit each, as there are few."""
    values = {value for value in _distinct(table, column) if identity.is_in(value)}
    rows = 0
    for value in sorted(values):
        rows += row_count(table, ds.field(column) == value)
        new = identity.redacted(value).replace("'", "''")
        DeltaTable(table).update(predicate=delta.quoted_in(column, [value]), updates={column: f"'{new}'"})
    return rows


def _distinct(table: Path, column: str) -> set[str]:
    found = set[str]()
    for batch in delta.dataset(table).to_batches(columns=[column]):
        found.update(value for value in batch.column(column).unique().to_pylist() if value is not None)
    return found


def _redacted(column: str, value: str | None, identity: Identity) -> str | None:
    if value is None or not identity.is_in(value):
        return value
    if column in LISTS:
        return json.dumps([name for name in json.loads(value) if not identity.is_listener(name)])
    return identity.redacted(value)
