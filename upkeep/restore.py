"""Restoring a backup into empty folders: verified before anything is written, and not a lakehouse before all of it is."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from lakehouse.cli.errors import UsageError
from lakehouse.cli.places import BUILT_FROM
from lakehouse.declare import Table
from lakehouse.settings import Settings
from lakehouse.storage.lakehouse import RESTORING
from lakehouse.storage.lock import locked
from lakehouse.storage.tombstones import FOLDER as TOMBSTONES
from lakehouse.storage.tombstones import Tombstone, tombstone_from
from polling.files import make_folder, write_file
from upkeep import tombstones
from upkeep.backup_content import INBOX, LAKEHOUSE, LANDING, STATE, roots_of
from upkeep.backup_secrets import opened
from upkeep.backup_store import BackupError, Manifest, Store, StoredFile, check_space, copy_checked, digest_of_file
from upkeep.forget import erase_forgotten

MARGIN_BYTES = 32 * 1024 * 1024
# What a folder may hold before anything was put into it.
NOTHING = ("_lock", "_lock_holder", "lost+found", RESTORING)
MOST_FAULTS = 10


@dataclass(frozen=True)
class Restored:
    """What was restored, or would be."""

    backup_id: str
    run_id: str
    files: int
    bytes: int
    secrets: int
    forgotten: int
    """listeners who were left out, as they were forgotten after the backup was taken"""
    has_secrets: bool
    """the backup holds secrets, restored or not"""


def chosen(store: Store, backup_id: str | None) -> Manifest:
    """The backup of that id, else the newest. Raises BackupError."""
    store.check()
    ids = store.ids()
    if not ids:
        raise BackupError(f"{store.folder} holds no finished backup")
    return store.manifest(backup_id or ids[-1])


def check_target(settings: Settings, manifest: Manifest) -> int:
    """How many bytes are to be written. Raises UsageError for a target that is not empty, BackupError for a full disk."""
    roots = roots_of(settings)
    for file in manifest.files:
        _place(roots[file.root], file.path)
    for name in (LAKEHOUSE, LANDING, INBOX):
        _check_empty(roots[name], {path for other, path in roots.items() if other != name}, manifest.backup_id)
    state = roots[STATE]
    own = [file.path for file in manifest.files if file.root == STATE and not _is_tombstone(file)]
    taken = [path for path in own if (state / path).exists()]
    if taken and not (roots[LAKEHOUSE] / RESTORING).exists():
        raise UsageError(f"{state / taken[0]} is there already: name an empty state folder (LAKEHOUSE_STATE_DIR)")
    needed = sum(file.size for file in manifest.files if not roots[file.root].joinpath(file.path).exists())
    check_space(roots[LAKEHOUSE], needed + MARGIN_BYTES)
    return needed


def verify(store: Store, manifest: Manifest, told: Callable[[int], None] = lambda _: None) -> None:
    """Raises BackupError, naming the files, for a backup that is damaged."""
    faults = store.damage(manifest, told)
    if faults:
        more = f"; and {len(faults) - MOST_FAULTS} more" if len(faults) > MOST_FAULTS else ""
        raise BackupError(
            "; ".join(faults[:MOST_FAULTS]) + more + "; use an older backup with --at, or another copy of the folder"
        )


def restore(
    settings: Settings,
    tables: Mapping[str, Table],
    store: Store,
    manifest: Manifest,
    *,
    passphrase: bytes | None = None,
    told: Callable[[int], None] = lambda _: None,
) -> Restored:
    """Write a verified backup into empty folders, or finish that where it was broken off, and apply tombstones.

    Raises UsageError, BackupError, LockedError and OSError.
    """
    roots = roots_of(settings)
    secret = _secrets(store, manifest, passphrase)
    make_folder(settings.dir)
    with locked(settings.dir):
        check_target(settings, manifest)
        for path in secret:
            if (settings.state_dir / path).exists() and not (settings.dir / RESTORING).exists():
                raise UsageError(
                    f"{settings.state_dir / path} is there already: name an empty state folder (LAKEHOUSE_STATE_DIR)"
                )
        marked = [roots[name] for name in (LAKEHOUSE, LANDING, INBOX)]
        for root in marked:
            make_folder(root)
            write_file(root / RESTORING, (json.dumps({"backup_id": manifest.backup_id}) + "\n").encode())
        for file in manifest.files:
            if not _is_tombstone(file):
                _write(store, file, _place(roots[file.root], file.path))
            told(file.size)
        for path, content in secret.items():
            place = _place(settings.state_dir, path)
            make_folder(place.parent)
            write_file(place, content)
        _point_here(settings)
        os.sync()
        for tombstone in _tombstones(store):
            tombstones.add(settings.state_dir, tombstone)
        forgotten = erase_forgotten(settings, tables, is_thorough=True)
        for root in reversed(marked):
            (root / RESTORING).unlink(missing_ok=True)
    size = sum(file.size for file in manifest.files)
    counts = (len(manifest.files), size, len(secret), forgotten)
    return Restored(manifest.backup_id, manifest.run_id, *counts, manifest.secrets is not None)


def _secrets(store: Store, manifest: Manifest, passphrase: bytes | None) -> dict[str, bytes]:
    if passphrase is None:
        return {}
    if manifest.secrets is None:
        raise UsageError(f"backup {manifest.backup_id} holds no secrets: leave --passphrase-file out")
    return opened(store.object(manifest.secrets).read_bytes(), passphrase)


def _check_empty(root: Path, others: set[Path], backup_id: str) -> None:
    if not root.exists():
        return
    if not root.is_dir():
        raise UsageError(f"{root} is a file; name a folder")
    marker = root / RESTORING
    if marker.exists():
        begun = json.loads(marker.read_bytes())["backup_id"]
        if begun != backup_id:
            raise UsageError(f"{root} holds a part of backup {begun}: finish that with --at {begun}, or empty the folder")
        return
    there = [path for path in root.iterdir() if path.name not in NOTHING and path not in others and not path.name.startswith(".")]
    if there:
        raise UsageError(f"{root} is not empty ({there[0].name}): a backup is restored into empty folders only")


def _write(store: Store, file: StoredFile, place: Path) -> None:
    if not (place.is_file() and place.stat().st_size == file.size and digest_of_file(place) == file.digest):
        make_folder(place.parent)
        copy_checked(store.object(file.digest), place, file.digest)
    # A run knows landing files by size and time, and reads none of them again.
    os.utime(place, ns=(file.modified_ns, file.modified_ns))


def _place(root: Path, path: str) -> Path:
    """Where a file goes; a manifest from elsewhere could name a place outside."""
    parts = PurePosixPath(path)
    if parts.is_absolute() or ".." in parts.parts or not parts.parts:
        raise BackupError(f"{path!r} in the manifest leads out of its folder")
    return root / parts


def _point_here(settings: Settings) -> None:
    """The lakehouse knows which landing folder it was built from; that is another one now."""
    note = settings.dir / BUILT_FROM
    if note.exists():
        write_file(note, (json.dumps({"lakehouse": str(settings.dir), "landing": str(settings.landing)}) + "\n").encode())


def _is_tombstone(file: StoredFile) -> bool:
    return file.root == STATE and file.path.split("/")[0] == TOMBSTONES


def _tombstones(store: Store) -> list[Tombstone]:
    """Those of the newest backup, whichever is restored: who was forgotten since stays so, and who was let in again is in."""
    newest = store.manifest(store.ids()[-1])
    return [tombstone_from(store.object(file.digest).read_bytes()) for file in newest.files if _is_tombstone(file)]
