"""Plays that a source once told of and no longer does: deleted or edited there. They stay, and are marked."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds

from lakehouse.settings import RECEIVED
from lakehouse.storage import delta
from lakehouse.storage.landed_files import LandedFile
from polling.compared_plays import DAY, OUT, ROW_ID, row_ids
from polling.inbox_files import poll_files
from polling.places import AccountPlace
from polling.state import AccountState
from validators.source_comparison import DELETED


@dataclass(frozen=True)
class Deleted:
    """A play that its source no longer has."""

    source: str
    noticed_at: dt.datetime


Row = tuple[str, int]
"""File hash and number of a bronze row."""


def deleted_rows(states: Iterable[AccountState], inbox: Path, landed: Sequence[LandedFile]) -> dict[Row, Deleted]:
    """The bronze rows of what the states list as vanished; left out while no run has read the file. Raises OSError."""
    rows: dict[Row, Deleted] = {}
    for state in states:
        if state.vanished:
            place = AccountPlace(inbox, state.source, state.account_id)
            hashes = _hashes(landed, place)
            new = _new(place, {one.file for one in state.vanished} & {*hashes})
            for one in state.vanished:
                if one.position in new.get(one.file, ()):
                    rows[hashes[one.file], 1 + new[one.file].index(one.position)] = Deleted(state.source, one.noticed_at)
    return rows


def _hashes(landed: Iterable[LandedFile], place: AccountPlace) -> dict[str, str]:
    """Hash by name of the account's poll files that were read."""
    folder = (RECEIVED, place.source, place.folder.name)
    paths = [(PurePosixPath(file.container), file) for file in landed if file.status in ("ingested", "duplicate")]
    return {path.name: file.file_hash for path, file in paths if path.parts[:3] == folder}


def _new(place: AccountPlace, names: Collection[str]) -> dict[str, list[int]]:
    """By name, the positions of what is new in a poll file, ascending as its rows are."""
    with poll_files(place) as files:
        return {file.name: sorted({*file.head().new}) for file in files if file.name in names}


def deleted_plays(plays: Path, rows: dict[Row, Deleted], user_id: str | None = None) -> Iterator[pa.Table]:
    """The plays of those rows, with `user_id`, `side`, `reason` and `noticed_at`; each side of a play once."""
    hashes = sorted({file_hash for file_hash, _ in rows})
    if not hashes:
        return
    where = ds.field("file_hash").isin(hashes) & ds.field("disposition").isin(["kept", "duplicate"])
    if user_id is not None:
        where &= ds.field("user_id") == user_id
    columns = ["user_id", *ROW_ID, "disposition", "duplicate_of", "played_at"]
    found: dict[str, dict[str, Deleted]] = {}
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


def _kept(plays: Path, user_id: str, items: dict[str, Deleted], start: dt.datetime, end: dt.datetime) -> Iterator[pa.Table]:
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
