"""Setting and lifting tombstones: salted hashes of listeners who are forgotten, which runs and polls read."""

from __future__ import annotations

import datetime as dt
import json
import secrets
from dataclasses import replace
from pathlib import Path

from lakehouse.storage.tombstones import (
    FOLDER,
    SALT_BYTES,
    Tombstone,
    digest_of,
    read_tombstone,
    read_tombstones,
    tombstone_files,
)
from polling.files import make_folder, write_file


def bury(state_dir: Path, user_id: str) -> None:
    """Keep the listener's rows out from now on; of one who is forgotten already, that this is not finished.

    Raises TombstoneError and OSError.
    """
    found = _of(state_dir, user_id)
    if found:
        for path in found:
            _write(path, replace(read_tombstone(path), finished_at=None))
        return
    salt = secrets.token_hex(SALT_BYTES)
    add(state_dir, Tombstone(salt, digest_of(user_id, salt), _now()))


def finish(state_dir: Path, user_id: str) -> None:
    """Note that everything of the listener is gone. Raises TombstoneError and OSError."""
    for path in _of(state_dir, user_id):
        _write(path, replace(read_tombstone(path), finished_at=_now()))


def finish_all(state_dir: Path) -> None:
    """Note that nothing is left of anybody who is forgotten. Raises TombstoneError and OSError."""
    for path in tombstone_files(state_dir):
        if not (tombstone := read_tombstone(path)).is_finished:
            _write(path, replace(tombstone, finished_at=_now()))


def finished_at(state_dir: Path, user_id: str) -> dt.datetime | None:
    """When everything of the listener was gone; None for one who is not forgotten, or not wholly."""
    return next((read_tombstone(path).finished_at for path in _of(state_dir, user_id)), None)


def lift(state_dir: Path, user_id: str) -> bool:
    """Let the listener's rows in again; whether they were forgotten. Raises TombstoneError and OSError."""
    found = _of(state_dir, user_id)
    for path in found:
        path.unlink()
    return bool(found)


def add(state_dir: Path, tombstone: Tombstone) -> None:
    """Add a tombstone, of a backup too; nothing happens where it is there. Raises TombstoneError and OSError."""
    if all(one.digest != tombstone.digest for one in read_tombstones(state_dir).every):
        make_folder(state_dir / FOLDER)
        _write(state_dir / FOLDER / f"{secrets.token_hex(8)}.json", tombstone)


def _now() -> dt.datetime:
    return dt.datetime.now(dt.timezone.utc)


def _of(state_dir: Path, user_id: str) -> list[Path]:
    return [path for path in tombstone_files(state_dir) if read_tombstone(path).is_of(user_id)]


def _write(path: Path, tombstone: Tombstone) -> None:
    write_file(path, (json.dumps(tombstone.to_json(), indent=1) + "\n").encode())
