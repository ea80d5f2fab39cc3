"""Plays that a source once told of and no longer does: deleted or edited there. They stay, and are marked."""

from __future__ import annotations

import datetime as dt
import gzip
import json
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds

from lakehouse.settings import RECEIVED
from lakehouse.storage import delta
from lakehouse.storage.landed_files import LandedFile
from polling.account_rows import StateFile
from polling.compared_plays import DAY, OUT, ROW_ID, row_ids
from polling.places import AccountPlace
from validators.source_comparison import DELETED


@dataclass(frozen=True)
class Vanished:
    """An item of a poll file that its source no longer tells of."""

    source: str
    account_id: str
    file: str
    """name of the poll file"""
    position: int
    """of the item in the answer"""
    noticed_at: dt.datetime


def vanished_items(files: Iterable[StateFile]) -> list[Vanished]:
    """What the states note as vanished. Raises OSError."""
    found = []
    for file in files:
        if file.state is not None:
            noted: list[dict[str, Any]] = json.loads(file.path.read_bytes()).get("vanished") or []
            found += [
                Vanished(
                    file.state.source,
                    file.state.account_id,
                    str(one["file"]),
                    int(one["position"]),
                    dt.datetime.fromisoformat(one["noticed_at"]),
                )
                for one in noted
            ]
    return found


Row = tuple[str, int]
"""File hash and number of a bronze row."""


def rows_of(items: Sequence[Vanished], inbox: Path, landed: Iterable[LandedFile]) -> dict[Row, Vanished]:
    """The bronze row of each item; an item is left out while no run has read its file. Raises OSError."""
    hashes = _hashes(landed, {item.source for item in items})
    rows, new = {}, dict[tuple[str, str, str], list[int]]()
    for item in items:
        place = AccountPlace(inbox, item.source, item.account_id)
        key = (item.source, place.folder.name, _plain(item.file))
        if key not in hashes:
            continue
        if key not in new:
            new[key] = _new(place.folder, key[2])
        if item.position in new[key]:
            rows[hashes[key], 1 + new[key].index(item.position)] = item
    return rows


def _hashes(landed: Iterable[LandedFile], sources: set[str]) -> dict[tuple[str, str, str], str]:
    """Hash by source, folder of the account and name of the poll file, packed or not."""
    hashes = {}
    for file in landed:
        parts = PurePosixPath(file.container).parts
        if file.source in sources and file.status in ("ingested", "duplicate") and parts[0] == RECEIVED and len(parts) > 2:
            hashes[parts[1], parts[2], _plain(file.member or file.path)] = file.file_hash
    return hashes


def _plain(path: str) -> str:
    return path.rsplit("/", 1)[-1].removesuffix(".gz")


def _new(folder: Path, name: str) -> list[int]:
    """The positions of what is new in a poll file, ascending as its rows are; none where the file is gone."""
    return sorted({int(position) for raw in _contents(folder, name) for position in json.loads(raw)["new"]})


def _contents(folder: Path, name: str) -> Iterator[bytes]:
    """The file, as it lies there or in an archive; once."""
    for path in sorted(folder.glob(f"*/{name}*")):
        yield gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
        return
    for path in sorted(folder.rglob("*.zip")):
        with zipfile.ZipFile(path) as archive:
            for member in archive.namelist():
                if _plain(member) == name:
                    raw = archive.read(member)
                    yield gzip.decompress(raw) if member.endswith(".gz") else raw
                    return


def deleted_plays(plays: Path, rows: dict[Row, Vanished], user_id: str | None = None) -> Iterator[pa.Table]:
    """The plays of those rows, with `user_id`, `side`, `reason` and `noticed_at`; each side of a play once."""
    hashes = sorted({file_hash for file_hash, _ in rows})
    if not hashes:
        return
    where = ds.field("file_hash").isin(hashes) & ds.field("disposition").isin(["kept", "duplicate"])
    if user_id is not None:
        where &= ds.field("user_id") == user_id
    columns = ["user_id", *ROW_ID, "disposition", "duplicate_of", "played_at"]
    found: dict[str, dict[str, Vanished]] = {}
    times: dict[str, list[dt.datetime]] = {}
    for batch in delta.dataset(plays).to_batches(columns=columns, filter=where):
        table = pa.Table.from_batches([batch])
        for row in table.append_column("row_id", row_ids(table)).to_pylist():
            item = rows.get((row["file_hash"], row["row_number"]))
            if item is not None:
                keeper = row["row_id"] if row["disposition"] == "kept" else row["duplicate_of"]
                found.setdefault(row["user_id"], {})[f"{item.source} {keeper}"] = item
                times.setdefault(row["user_id"], []).append(row["played_at"])
    for listener, items in found.items():
        yield from _kept(plays, listener, items, min(times[listener]) - DAY, max(times[listener]) + DAY)


def _kept(plays: Path, user_id: str, items: dict[str, Vanished], start: dt.datetime, end: dt.datetime) -> Iterator[pa.Table]:
    where = (ds.field("user_id") == user_id) & (ds.field("disposition") == "kept")
    where &= (ds.field("played_at") >= start) & (ds.field("played_at") <= end)
    for source in sorted({item.source for item in items.values()}):
        keepers = {key.split(" ")[1]: item for key, item in items.items() if item.source == source}
        for batch in delta.dataset(plays).to_batches(columns=[*OUT, *ROW_ID], filter=where):
            table = pa.Table.from_batches([batch])
            table = table.append_column("row_id", row_ids(table))
            table = table.filter(pc.is_in(table["row_id"], value_set=pa.array(keepers, pa.string())))
            noticed = [keepers[row_id].noticed_at for row_id in table["row_id"].to_pylist()]
            told = table.select([name for name in OUT if name != "source"])
            for name, value in (("user_id", user_id), ("side", source), ("source", source), ("reason", DELETED)):
                told = told.append_column(name, pa.repeat(value, len(table)))
            yield told.append_column("noticed_at", pa.array(noticed, pa.timestamp("us", "UTC")))
