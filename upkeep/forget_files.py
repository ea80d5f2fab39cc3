"""Landing files of a listener: which hold nobody else's rows and go, and which are left, with a reason."""

from __future__ import annotations

import os
import shutil
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa
import pyarrow.dataset as ds

from lakehouse.landing.owners import folder_listener
from lakehouse.settings import LISTENERS, RECEIVED, Settings
from lakehouse.storage import delta
from lakehouse.storage.landed_files import LandedFile
from upkeep.forget_identity import Identity

HISTORY = "listening_history"
OF_LISTENERS = (HISTORY, "dislike_rows", "corrections")
"""Bronze tables whose rows belong to listeners; all others are about tracks and artists."""


@dataclass(frozen=True)
class Rows:
    """How many rows of a content are the listener's, and how many anybody else's."""

    own: int = 0
    others: int = 0


@dataclass(frozen=True)
class Place:
    """Where something of the listener is, and what becomes of it."""

    kind: str
    where: str
    what: str
    is_left: bool = False
    """it stays, for the reason that `what` says"""
    is_failure: bool = False
    """it stays although it was to go"""


@dataclass
class Files:
    """The landing files of a listener, as far as earlier runs know them."""

    rows: Mapping[str, Rows]
    """by content hash, of files of listening history that hold rows of the listener"""
    removed: list[Path] = field(default_factory=list)
    left: list[tuple[Path, str]] = field(default_factory=list)
    """file, and why it stays"""
    refused: list[tuple[Path, str]] = field(default_factory=list)
    """files that the system does not let go, and why"""
    folders: list[Path] = field(default_factory=list)
    """the listener's own, which go with all that is removed in them"""

    def places(self) -> Iterator[Place]:
        """Each file, as the report lists it."""
        yield from (Place("file", str(path), "removed: it holds nobody else's rows") for path in self.removed)
        yield from (Place("file", str(path), why, is_left=True) for path, why in self.left)
        yield from (Place("file", str(path), why, is_left=True, is_failure=True) for path, why in self.refused)


def find_files(settings: Settings, identity: Identity, known: Iterable[LandedFile], received: Collection[str]) -> Files:
    """Look through landing folder and ledger; reads no file. Raises OSError.

    `received` are the files of the listener that the product received, which are found by what they say themselves.
    """
    found = Files(rows_by_hash(settings.dir, identity))
    by_container: dict[str, list[LandedFile]] = defaultdict(list)
    for file in known:
        by_container[file.container].append(file)
    for folder in _own_folders(settings, identity):
        found.folders.append(folder)
        for path in _everything_in(folder):
            _decide_own(found, path, by_container.get(name_of(settings, path), []))
    for container, files in sorted(by_container.items()):
        path = path_of(settings, container)
        is_other = container not in received and not identity.is_listener(folder_listener(container))
        if is_other and os.path.lexists(path):
            _decide(found, path, files, identity)
    return found


def remove_files(found: Files) -> Files:
    """Remove what is to be removed; what the system does not let go is left, with the reason."""
    kept = Files(found.rows, left=list(found.left))
    for path in found.removed:
        try:
            path.unlink(missing_ok=True)
            kept.removed.append(path)
        except OSError as error:
            kept.refused.append((path, f"cannot be removed ({error.strerror}): remove it yourself; its rows stay out until then"))
    for folder in found.folders:
        try:
            _remove_empty(folder)
        except OSError as error:
            kept.refused.append((folder, f"cannot be removed ({error.strerror}): remove the empty folder yourself"))
    return kept


def rows_by_hash(lakehouse: Path, identity: Identity) -> dict[str, Rows]:
    """Rows of listening history per content that holds any of the listener's; read in batches, as there may be many."""
    path = lakehouse / "bronze" / HISTORY
    if delta.version(path) is None:
        return {}
    rows = delta.dataset(path)
    is_own = ds.field("user_id").isin(spellings(identity))
    own = _counted(rows, is_own)
    others = _counted(rows, ~is_own & ds.field("file_hash").isin(pa.array(sorted(own), pa.string())))
    return {key: Rows(count, others[key]) for key, count in own.items()}


def spellings(identity: Identity) -> list[str]:
    """The listener's id in every Unicode form in which a table may hold it."""
    return sorted({identity.user_id, *[unicodedata.normalize(form, identity.user_id) for form in ("NFC", "NFD")]})


def _counted(rows: ds.Dataset, where: ds.Expression) -> Counter[str]:
    counts = Counter[str]()
    for batch in rows.to_batches(columns=["file_hash"], filter=where):
        for value in batch.column("file_hash").value_counts().to_pylist():
            counts[value["values"]] += value["counts"]
    return counts


def _own_folders(settings: Settings, identity: Identity) -> Iterator[Path]:
    for root in (settings.landing, settings.inbox_folder):
        folder = root / LISTENERS
        for path in sorted(folder.iterdir()) if folder.is_dir() else []:
            if identity.is_listener(path.name):
                yield path


def _everything_in(folder: Path) -> list[Path]:
    """Also what is hidden, and links; of a link in place of the folder only the link, as what it leads to is elsewhere."""
    if folder.is_symlink() or not folder.is_dir():
        return [folder]
    return sorted(Path(top, name) for top, _, names in os.walk(folder) for name in names)


def _decide_own(found: Files, path: Path, files: Iterable[LandedFile]) -> None:
    others = sum(found.rows.get(file.file_hash, Rows()).others for file in files)
    if others:
        found.left.append(
            (
                path,
                f"holds {others:,} rows of others, which stay: move it out of this folder, as its path names the listener",
            )
        )
    elif path.is_symlink() and path.exists():
        found.left.append((path.resolve(), "lies outside of the landing folder, which had a link to it: remove it yourself"))
        found.removed.append(path)
    else:
        found.removed.append(path)


def _decide(found: Files, path: Path, files: list[LandedFile], identity: Identity) -> None:
    """A file outside of the listener's folder: an archive stays whole if anything in it may be another's."""
    own = [file for file in files if _is_own(found, file, identity)]
    if not own:
        return
    foreign = [file for file in files if file not in own and (file.source is not None or not identity.is_listener(file.listener))]
    others = sum(found.rows.get(file.file_hash, Rows()).others for file in own)
    if others:
        found.left.append((path, f"holds {others:,} rows of others; the listener's rows are kept out of the lakehouse"))
    elif foreign:
        names = ", ".join(sorted(str(file.member or file.path) for file in foreign)[:3])
        found.left.append((path, f"holds other files, such as {names}; the listener's rows are kept out of the lakehouse"))
    else:
        found.removed.append(path)


def _is_own(found: Files, file: LandedFile, identity: Identity) -> bool:
    """Whether the file has rows of the listener: of history by the rows themselves, of lists by the place."""
    if file.file_hash in found.rows:
        return True
    is_list = file.target in OF_LISTENERS and file.target != HISTORY
    return is_list and identity.is_listener(file.listener)


def name_of(settings: Settings, path: Path) -> str:
    """The path as the ledger has it."""
    if path.is_relative_to(settings.inbox_folder):
        return f"{RECEIVED}/{path.relative_to(settings.inbox_folder).as_posix()}"
    return path.relative_to(settings.landing).as_posix()


def path_of(settings: Settings, container: str) -> Path:
    """Where a file of the ledger lies."""
    first, _, rest = container.partition("/")
    return settings.inbox_folder / rest if first == RECEIVED else settings.landing / container


def _remove_empty(folder: Path) -> None:
    """Remove a folder in which no file is left."""
    if folder.is_dir() and not folder.is_symlink() and not any(names for _, _, names in os.walk(folder)):
        shutil.rmtree(folder)
