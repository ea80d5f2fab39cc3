"""Whose a file is, by where it lies in the landing folder or in the inbox."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator

import pyarrow as pa
import pyarrow.compute as pc

from lakehouse.declare.source import BrokenFileError
from lakehouse.settings import EVERYONE, HOUSE, LISTENERS, RECEIVED
from lakehouse.storage.landed_files import LandedFile

ADMIN_BRINGS = "the admin of the service can bring it for the house"


def listener_of(relative: str, default: str) -> str:
    """Who a file belongs to, by its path in the landing folder; EVERYONE and RECEIVED for the files of those folders."""
    parts = relative.split("/")
    if is_brought(relative):
        parts = parts[1:]
    if parts[0] in (EVERYONE, RECEIVED):
        return parts[0]
    if len(parts) > 2 and parts[0] == LISTENERS:
        return unicodedata.normalize("NFC", parts[1])
    return default


def is_brought(relative: str) -> bool:
    """Whether the inbox holds the file because a person brought it, by its path in the landing folder."""
    first, folder, *rest = [*relative.split("/"), ""]
    return first == RECEIVED and (folder == HOUSE or (folder == LISTENERS and len(rest) > 2)) and any(rest)


def _is_of_one(relative: str) -> bool:
    """Whether the file may hold rows of the listener of its folder only."""
    return is_brought(relative) and relative.split("/")[1] == LISTENERS


def only_own(batches: Iterator[pa.RecordBatch], file: LandedFile) -> Iterator[pa.RecordBatch]:
    """The rows. Raises BrokenFileError for one of another listener in a file that a listener brought."""
    for batch in batches:
        if _is_of_one(file.container) and (other := other_listener(batch, file.listener)) is not None:
            raise BrokenFileError(f"a row names the listener {other[:100]!r}, but {file.listener} brought it: {ADMIN_BRINGS}")
        yield batch


def other_listener(rows: pa.RecordBatch, listener: str) -> str | None:
    """A listener that a row names and that is not this one; None where there is none."""
    if "user_id" not in rows.schema.names:
        return None
    return next((str(name) for name in pc.unique(rows.column("user_id")).to_pylist() if name != listener), None)
