"""Removing a listener from Delta tables: rows, then every earlier version, in the log as in the files.

Each table is left with its newest version alone: one clean commit, one checkpoint, and the files that it needs. Whatever is
broken off can be done again, and readers of the newest version see nothing of it.
"""

from __future__ import annotations

import json
import operator
from collections.abc import Collection, Mapping, Sequence
from functools import reduce
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
from deltalake import CommitProperties, DeltaTable, write_deltalake

from lakehouse.declare.table import LAYERS, LISTENER
from lakehouse.storage import delta
from lakehouse.storage.changes import EVERYTHING
from lakehouse.storage.rewriting import remove_rows
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


def tables_in(lakehouse: Path) -> list[Path]:
    """The folders of all Delta tables, also of those that no code declares any more."""
    return sorted(log.parent for layer in LAYERS for log in (lakehouse / layer).glob(f"*/{LOG}"))


def name_of(table: Path) -> str:
    """Such as gold.top_artists."""
    return f"{table.parent.name}.{table.name}"


def owned_by(table: Path, identity: Identity, spelt: Collection[str], hashes: Collection[str]) -> dict[str, list[str]]:
    """By column, the values whose rows are the listener's; none where rows name no listener, account or file."""
    names = delta.column_names(table)
    values = {column: sorted(spelt) for column in LISTENER_COLUMNS if column in names}
    if ACCOUNT in names:
        values[ACCOUNT] = sorted({account for _, account in identity.accounts})
    if "file_hash" in names and LISTENER not in names and table.parent.name != "silver":
        values["file_hash"] = sorted(hashes)
    return {column: those for column, those in values.items() if those}


def row_count(table: Path, owned: Mapping[str, Sequence[str]]) -> int:
    """How many rows hold one of these values."""
    if not owned:
        return 0
    wanted = [ds.field(column).isin(pa.array(values, pa.string())) for column, values in owned.items()]
    return int(delta.dataset(table).count_rows(filter=reduce(operator.or_, wanted)))


def delete_rows(table: Path, owned: Mapping[str, Sequence[str]]) -> int:
    """Delete rows that hold one of these values, in one commit; returns how many there were."""
    rows = row_count(table, owned)
    if rows:
        remove_rows(table, " OR ".join(delta.quoted_in(column, values) for column, values in owned.items()))
    return rows


def redact_rows(table: Path, identity: Identity) -> int:
    """Replace the listener's names where they stand in rows of others, such as in paths and messages; returns how many rows."""
    columns = [name for name in _texts(table) if table.parent.name == "ops" or name in PATHS]
    named = {column for column in columns if any(identity.is_in(value) for value in _distinct(table, column))}
    if not named:
        return 0
    hashes = _hashes(table, named, identity)
    where = ds.field("file_hash").isin(pa.array(hashes, pa.string())) if hashes else None
    rows = delta.dataset(table).to_table(filter=where)
    changed = pa.array([False] * rows.num_rows)
    for column in sorted(named):
        before = rows[column].to_pylist()
        after = [_redacted(column, value, identity) for value in before]
        changed = pc.or_(changed, pa.array([left != right for left, right in zip(before, after, strict=True)], pa.bool_()))
        place = rows.schema.get_field_index(column)
        rows = rows.set_column(place, rows.schema.field(place), pa.array(after, pa.string()))
    predicate = delta.quoted_in("file_hash", hashes) if hashes else None
    write_deltalake(table, rows.cast(delta.uncommented(rows.schema)), mode="overwrite", predicate=predicate)
    return int(pc.sum(changed).as_py())


def _hashes(table: Path, named: Collection[str], identity: Identity) -> list[str]:
    """Of a table of landing files, those in whose rows a name stands: all others need not be read."""
    if table.parent.name != "bronze" or "file_hash" not in delta.column_names(table):
        return []
    found = set[str]()
    for batch in delta.dataset(table).to_batches(columns=["file_hash", *named]):
        for pair in batch.group_by(["file_hash", *named]).aggregate([]).to_pylist():
            if any(value is not None and identity.is_in(value) for name, value in pair.items() if name in named):
                found.add(pair["file_hash"])
    return sorted(found)


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


def _texts(table: Path) -> list[str]:
    fields = json.loads(DeltaTable(table).schema().to_json())["fields"]
    return [field["name"] for field in fields if field["type"] == "string"]


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
