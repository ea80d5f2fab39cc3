"""Taking a backup: the state of one finished run, of which only what is new is copied."""

from __future__ import annotations

import datetime as dt
import io
from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path

from lakehouse.cli.errors import UsageError
from lakehouse.settings import Settings
from lakehouse.storage.ledger import Ledger
from upkeep.backup_content import Source, files_of, roots_of, secrets_of
from upkeep.backup_places import remember_backups
from upkeep.backup_secrets import sealed
from upkeep.backup_store import BackupError, Manifest, Store, StoredFile, check_space, new_id

# For manifests, and what a file system needs itself.
MARGIN_BYTES = 32 * 1024 * 1024
ATTEMPTS = 10


@dataclass(frozen=True)
class Planned:
    """What a backup would copy."""

    run_id: str
    files: int
    bytes: int
    new_files: int
    new_bytes: int


@dataclass(frozen=True)
class Taken:
    """A backup that was taken."""

    backup_id: str
    run_id: str
    files: int
    bytes: int
    new_files: int
    new_bytes: int
    secrets: int
    removed: list[str]
    """older backups that went, as only so many are kept"""


def plan(settings: Settings, folder: Path) -> Planned:
    """Look at what there is, and compare with the newest backup; changes nothing. Raises UsageError, BackupError and OSError."""
    run_id = finished_run(settings)
    _check_apart(settings, folder)
    before = _known(Store(folder))
    files = sizes = new_files = new_bytes = 0
    for source in files_of(settings):
        size, modified_ns = _size_and_time(source)
        files, sizes = files + 1, sizes + size
        if (source.root, source.path, size, modified_ns) not in before:
            new_files, new_bytes = new_files + 1, new_bytes + size
    return Planned(run_id, files, sizes, new_files, new_bytes)


def back_up(
    settings: Settings,
    folder: Path,
    *,
    keep: int | None = None,
    passphrase: bytes | None = None,
    told: Callable[[int], None] = lambda _: None,
) -> Taken:
    """Take a backup. The caller holds the lock of the lakehouse. `told` hears of every so many bytes that were copied.

    Raises UsageError, BackupError, LockedError and OSError; no backup counts then, and another call goes on with what was copied.
    """
    planned = plan(settings, folder)
    store = Store(folder)
    check_space(folder, planned.new_bytes + MARGIN_BYTES)
    store.create()
    with store.locked():
        files, new_files, new_bytes = _copy_all(settings, store, told)
        secret_files = secrets_of(settings) if passphrase is not None else []
        digest = store.put(io.BytesIO(sealed(secret_files, passphrase)))[0] if passphrase is not None else None
        manifest = Manifest(new_id(dt.datetime.now(dt.timezone.utc)), planned.run_id, files, digest)
        store.write_manifest(manifest)
        remember_backups(settings.state_dir, folder, store.ids())
        removed = store.prune(keep) if keep is not None else []
        if removed:
            remember_backups(settings.state_dir, folder, store.ids())
    return Taken(
        *(manifest.backup_id, manifest.run_id, len(files), manifest.bytes),
        *(new_files, new_bytes, len(secret_files), removed),
    )


def finished_run(settings: Settings) -> str:
    """The run whose state the lakehouse is in. Raises UsageError for a lakehouse without one, or whose last run was killed."""
    runs = Ledger(settings.dir).runs()
    if not runs:
        raise UsageError(f"there is nothing to back up in {settings.dir}: no run has written it")
    if runs[0]["status"] == "running":
        raise BackupError("the last run was killed: `lakehouse run` finishes its work, and then there is a state to back up")
    return str(runs[0]["run_id"])


def _check_apart(settings: Settings, folder: Path) -> None:
    for name, root in roots_of(settings).items():
        if folder == root or root in folder.parents or folder in root.parents:
            raise UsageError(f"{folder} must lie apart from the {name} folder {root}")


def _copy_all(settings: Settings, store: Store, told: Callable[[int], None]) -> tuple[list[StoredFile], int, int]:
    """Copy what is not there. A file that is renamed meanwhile, as a journal is, is found by another look."""
    before = _known(store)
    copied: dict[tuple[str, str], StoredFile] = {}
    new_files = new_bytes = 0
    for _ in range(ATTEMPTS):
        missed = False
        for source in files_of(settings):
            if (source.root, source.path) in copied:
                continue
            try:
                file, is_new = _copy(source, store, before, told)
            except FileNotFoundError:
                missed = True
                continue
            copied[file.root, file.path] = file
            new_files, new_bytes = new_files + is_new, new_bytes + is_new * file.size
        if not missed:
            return list(copied.values()), new_files, new_bytes
    raise BackupError("files vanish while they are copied: stop what moves them, and try again")


def _copy(
    source: Source, store: Store, before: dict[tuple[str, str, int, int], str], told: Callable[[int], None]
) -> tuple[StoredFile, bool]:
    size, modified_ns = _size_and_time(source)
    known = before.get((source.root, source.path, size, modified_ns))
    if known is not None and store.has(known, size):
        return StoredFile(source.root, source.path, known, size, modified_ns), False
    with source.place.open("rb") as file:
        digest, size, is_new = store.put(file, told)
    return StoredFile(source.root, source.path, digest, size, modified_ns), is_new


def _known(store: Store) -> dict[tuple[str, str, int, int], str]:
    """Contents of the newest backup by place, size and time."""
    ids: Collection[str] = store.ids()
    files = store.manifest(max(ids)).files if ids else ()
    return {(file.root, file.path, file.size, file.modified_ns): file.digest for file in files}


def _size_and_time(source: Source) -> tuple[int, int]:
    stat = source.place.stat()
    return stat.st_size, stat.st_mtime_ns
