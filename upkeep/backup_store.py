"""A folder of backups: contents by their hash, each once, and a manifest a backup, which says what lay where.

    DIR/lakehouse-backup.json      what the folder is
    DIR/objects/ab/ab12...         a content, named by its SHA-256
    DIR/manifests/ID.json          one finished backup; ID is the time it was taken, UTC

A manifest is written last, so that a backup is whole or not there. Nothing that is written is changed; what no manifest names any
more is removed with the last backup that did.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import os
import re
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any

from filelock import FileLock, Timeout

from lakehouse.storage.lock import LockedError
from polling.files import FILE_MODE, make_folder, write_file

MARKER, LOCK = "lakehouse-backup.json", "_lock"
FORMAT = "listening-lakehouse/backup/1"
OBJECTS, MANIFESTS, PART = "objects", "manifests", ".part"
HASH = re.compile(r"[0-9a-f]{64}")
BACKUP_ID = re.compile(r"\d{8}T\d{6}\.\d{6}Z")
CHUNK = 1024 * 1024


class BackupError(Exception):
    """A backup that cannot be taken, found or trusted; the message names the file and the remedy."""


@dataclass(frozen=True)
class StoredFile:
    """A file as it lay below one of the roots."""

    root: str
    path: str
    digest: str
    size: int
    modified_ns: int


@dataclass(frozen=True)
class Manifest:
    """One backup."""

    backup_id: str
    run_id: str
    """the finished run whose state it is"""
    files: Sequence[StoredFile]
    secrets: str | None = None
    """content with the encrypted secrets; None for a backup without them"""

    @property
    def digests(self) -> set[str]:
        """Every content that the backup needs."""
        return {file.digest for file in self.files} | ({self.secrets} if self.secrets else set())

    @property
    def bytes(self) -> int:
        """The size of what is restored."""
        return sum(file.size for file in self.files)


class Store:
    """The backups below one folder. All methods raise OSError."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def check(self) -> None:
        """Raises BackupError for a folder that is not there, or that holds no backups."""
        try:
            document = json.loads((self.folder / MARKER).read_bytes())
            if document["format"] != FORMAT:
                raise BackupError(f"{self.folder} was written by another version of this project ({document['format']!r})")
        except FileNotFoundError:
            raise BackupError(f"{self.folder} holds no backups") from None
        except (ValueError, KeyError, TypeError) as error:
            raise BackupError(
                f"{self.folder / MARKER} is damaged ({error}): copy that file from another backup folder"
            ) from error

    def create(self) -> None:
        """Make the folder one of backups. Raises BackupError for a folder of other files."""
        if (self.folder / MARKER).exists():
            self.check()
            return
        if self.folder.is_dir() and any(
            not path.name.startswith((".", LOCK)) and path.name != "lost+found" for path in self.folder.iterdir()
        ):
            raise BackupError(f"{self.folder} contains other files and no backups; choose an empty folder")
        make_folder(self.folder)
        write_file(self.folder / MARKER, (json.dumps({"format": FORMAT}) + "\n").encode())

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the folder's lock. Raises LockedError."""
        make_folder(self.folder)
        try:
            with FileLock(self.folder / LOCK, timeout=0, mode=FILE_MODE):
                yield
        except Timeout as error:
            raise LockedError(f"another process uses {self.folder}") from error

    def ids(self) -> list[str]:
        """The backups, the oldest first."""
        folder = self.folder / MANIFESTS
        found = [path.stem for path in folder.glob("*.json")] if folder.is_dir() else []
        return sorted(name for name in found if BACKUP_ID.fullmatch(name))

    def manifest(self, backup_id: str) -> Manifest:
        """One backup. Raises BackupError for one that is not there or damaged."""
        path = self.folder / MANIFESTS / f"{backup_id}.json"
        try:
            document = json.loads(path.read_bytes())
            if _digest_of(document["backup"]) != document["sha256"]:
                raise ValueError("its content is not what was written")
            backup = document["backup"]
            files = tuple(StoredFile(**file) for file in backup["files"])
            return Manifest(backup["backup_id"], backup["run_id"], files, backup["secrets"])
        except FileNotFoundError:
            listed = ", ".join(self.ids()) or "none"
            raise BackupError(f"{self.folder} holds no backup {backup_id!r}; there are: {listed}") from None
        except (ValueError, KeyError, TypeError) as error:
            raise BackupError(
                f"{path} is damaged ({error}): use an older backup with --at, or another copy of the folder"
            ) from error

    def write_manifest(self, manifest: Manifest) -> None:
        """Make a backup count. All of its contents are there."""
        make_folder(self.folder / MANIFESTS)
        backup = asdict(manifest)
        content = json.dumps({"sha256": _digest_of(backup), "backup": backup}, indent=0)
        write_file(self.folder / MANIFESTS / f"{manifest.backup_id}.json", content.encode())

    def object(self, digest: str) -> Path:
        """Where a content lies. Raises BackupError for what is no hash."""
        if not HASH.fullmatch(digest):
            raise BackupError(f"{digest[:80]!r} in a manifest of {self.folder} is no hash")
        return self.folder / OBJECTS / digest[:2] / digest

    def has(self, digest: str, size: int) -> bool:
        """Whether a content is there, as far as its size tells."""
        try:
            return self.object(digest).stat().st_size == size
        except FileNotFoundError:
            return False

    def put(self, source: IO[bytes], told: Callable[[int], None] = lambda _: None) -> tuple[str, int, bool]:
        """Store a content; returns its hash and size, and whether it is new. It was read again from the disk, and is the same.

        Raises BackupError where it is not.
        """
        make_folder(self.folder / OBJECTS)
        part = self.folder / OBJECTS / f"new{PART}"
        handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, FILE_MODE)
        with os.fdopen(handle, "wb") as target:
            digest, size = _copied(source, target, told)
            target.flush()
            os.fsync(target.fileno())
        if self.has(digest, size):
            part.unlink()
            return digest, size, False
        if (read := digest_of_file(part)) != digest:
            raise BackupError(
                f"{part} reads as {read[:12]} and not as the {digest[:12]} that was written: check the disk of {self.folder}"
            )
        path = self.object(digest)
        make_folder(path.parent)
        part.replace(path)
        _sync(path.parent)
        return digest, size, True

    def damage(self, manifest: Manifest, told: Callable[[int], None] = lambda _: None) -> list[str]:
        """What is wrong with the contents of a backup, a line each."""
        found, seen = [], set[str]()
        for file in manifest.files:
            if file.digest not in seen:
                seen.add(file.digest)
                if (fault := self._fault(file.digest)) is not None:
                    found.append(
                        f"{self.object(file.digest)} {fault}: it is {file.root}/{file.path} of backup {manifest.backup_id}"
                    )
                told(file.size)
        if manifest.secrets and (fault := self._fault(manifest.secrets)) is not None:
            found.append(f"{self.object(manifest.secrets)} {fault}: it holds the secrets of backup {manifest.backup_id}")
        return found

    def _fault(self, digest: str) -> str | None:
        path = self.object(digest)
        try:
            return None if digest_of_file(path) == digest else "is damaged"
        except FileNotFoundError:
            return "is missing"

    def prune(self, keep: int) -> list[str]:
        """Remove all backups but the newest so many, then what none of the others names; returns the ids removed."""
        gone = self.ids()[:-keep]
        for backup_id in gone:
            (self.folder / MANIFESTS / f"{backup_id}.json").unlink()
        self.remove_unnamed()
        return gone

    def remove_unnamed(self) -> int:
        """Remove contents that no backup names, such as those of a backup that was broken off; returns how many."""
        named = set[str]().union(*(self.manifest(backup_id).digests for backup_id in self.ids()))
        removed = 0
        for path in (self.folder / OBJECTS).glob("*/*"):
            if path.name not in named:
                path.unlink()
                removed += 1
        return removed


def new_id(now: dt.datetime) -> str:
    """The id of a backup that is taken now."""
    return f"{now.astimezone(dt.timezone.utc):%Y%m%dT%H%M%S.%f}Z"


def digest_of_file(path: Path) -> str:
    """The SHA-256 of a file's content."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(CHUNK):
            digest.update(block)
    return digest.hexdigest()


def copy_checked(source: Path, target: Path, digest: str) -> None:
    """Copy a content to a place; raises BackupError, and leaves nothing there, where it is not the one of that hash."""
    handle = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, FILE_MODE)
    with source.open("rb") as read, os.fdopen(handle, "wb") as written:
        found, _ = _copied(read, written, lambda _: None)
    if found != digest:
        target.unlink()
        raise BackupError(f"{source} is damaged")


def check_space(folder: Path, needed: int) -> None:
    """Raises BackupError where the disk of a folder, which need not be there yet, has not so many bytes free."""
    there = next(path for path in (folder, *folder.parents) if path.is_dir())
    free = shutil.disk_usage(there).free
    if free < needed:
        raise BackupError(f"{folder} needs {needed / 1e6:,.0f} MB, and its disk has {free / 1e6:,.0f} MB free")


def _copied(source: IO[bytes], target: IO[bytes], told: Callable[[int], None]) -> tuple[str, int]:
    digest, size = hashlib.sha256(), 0
    while block := source.read(CHUNK):
        digest.update(block)
        target.write(block)
        size += len(block)
        told(len(block))
    return digest.hexdigest(), size


def _digest_of(backup: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(backup, sort_keys=True).encode()).hexdigest()


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
