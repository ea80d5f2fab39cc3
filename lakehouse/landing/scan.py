"""The landing folder and the inbox: which files are there, which are new, and their rows as staged Parquet.

A file is known by the SHA-256 of its content, wherever it lies and whatever it is called; members of an archive are
files of their own. Files of the inbox stand under RECEIVED, wherever the inbox is, and in their folder where that is packed.
State is one row per (content, path), kept in ops.ingestion_state.
"""

from __future__ import annotations

import hashlib
import io
import os
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, Any

from lakehouse.declare.source import SAMPLE_BYTES, BrokenFileError, Explainer, NotUtf8Error, ReceivedSource, SharedSource, Source
from lakehouse.landing.archive import ARCHIVE_ERRORS, RefusedArchiveError, fault_of
from lakehouse.landing.container import Budget, open_member
from lakehouse.landing.encoding import UTF_8, WINDOWS, as_utf8, encoding_of, is_windows_text
from lakehouse.landing.examine import Examiner
from lakehouse.landing.owners import is_brought, listener_of, only_own
from lakehouse.landing.packed import Archives, PackedFile, archives_in, archives_under, files_of
from lakehouse.landing.staging import write_rows
from lakehouse.settings import EVERYONE, LISTENERS, RECEIVED
from lakehouse.storage.landed_files import LandedFile

DOWNLOAD = re.compile(r"(, perhaps an interrupted download)|(: download (it|the archive) again)")
RECEIVED_REMEDY = (
    ": restore it from a backup; without one, move it away together with the state _NAME.json of its account, and the next poll"
    " brings what the source still tells"
)


@dataclass(frozen=True)
class Scan:
    """What the landing folder holds: `state` is every row to remember, `new` the files to read, `news` what to report."""

    state: tuple[LandedFile, ...]
    new: tuple[LandedFile, ...]
    newly_broken: tuple[LandedFile, ...] = ()


def files_in(landing: Path) -> list[Path]:
    """All that lies in a landing folder, sorted, without what is hidden or begins with _, or is in such a folder.

    The folder EVERYONE is the exception. Also what cannot be read, as it may hold plays: links to nothing, pipes, folders that
    may not be entered; and what is in a folder of `listeners` that begins with _, which no listener's name does.
    """
    paths: list[Path] = []
    closed: list[OSError] = []
    for folder, folders, files in os.walk(landing, onerror=closed.append if landing.is_dir() else None):
        skipped = "." if Path(folder) == landing / LISTENERS else (".", "_")
        is_root = Path(folder) == landing
        folders[:] = sorted(name for name in folders if not name.startswith(skipped) or (is_root and name == EVERYONE))
        paths += [Path(folder, name) for name in files if not name.startswith((".", "_"))]
    return sorted([*paths, *(Path(error.filename) for error in closed)])


class Landing:
    """A landing folder with its inbox, the sources that may stand in them, and what earlier runs knew of them."""

    def __init__(
        self,
        folder: Path,
        sources: Sequence[Source],
        parsers: Mapping[str, str],
        default_listener: str,
        max_bytes: int,
        run_id: str,
        explainers: Sequence[Explainer] = (),
        inbox: Path | None = None,
    ) -> None:
        """`parsers`: by the name of each source, and of each module of explainers, the fingerprint of its code.

        `inbox` is the folder RECEIVED of the landing folder unless another is given.
        """
        self.folder, self.sources, self.default_listener = folder, sources, default_listener
        self.inbox = inbox or folder / RECEIVED
        self.max_bytes, self.run_id = max_bytes, run_id
        self.shared = {source.name for source in sources if isinstance(source, SharedSource)}
        self.received = {source.name for source in sources if isinstance(source, ReceivedSource)}
        self.parsers = parsers
        self.examiner = Examiner(sources, explainers, parsers, max_bytes)
        self._packed: dict[str, PackedFile] = {}
        """files of packed folders, by their name in the landing folder"""
        self._archives = Archives()

    def scan(
        self,
        remembered: Iterable[LandedFile],
        *,
        targets: Collection[str] | None = None,
        reread: Collection[str] = (),
        rehash: bool = False,
    ) -> Scan:
        """Compare the folder with what is known; reads only files whose size or time changed, unless `rehash`.

        Files of other bronze tables than `targets` wait; files of those in `reread` count as new.
        """
        by_place = {(f.file_hash, f.path): f for f in remembered}
        by_container: dict[str, list[LandedFile]] = {}
        for file in by_place.values():
            by_container.setdefault(file.container, []).append(file)
        present: dict[tuple[str, str], LandedFile] = {}
        for relative, path in self._files():
            size, modified_ns = self._size_and_time(relative, path)
            unchanged = [
                f
                for f in by_container.get(relative, [])
                if f.is_present and (f.container_bytes, f.container_modified_ns) == (size, modified_ns)
            ]
            # What no source knew may be known to one that came or changed since.
            if any(f.source is None and f.parser != self.examiner.all_parsers for f in unchanged):
                unchanged = []
            if not _is_text(relative):
                files = self._unnamed(relative, size, modified_ns)
            elif unchanged and not rehash:
                files = self._again(unchanged)
            else:
                files = self._examine(path, relative, size, modified_ns)
            present |= {(f.file_hash, f.path): f for f in files}
        self._archives.close()
        fed = {source.target for source in self.sources} if targets is None else set(targets)
        return self._compare(present, by_place, fed, reread)

    def _files(self) -> Iterator[tuple[str, Path]]:
        """All files by their name in the landing folder."""
        # An inbox may be a folder of the landing folder that is not hidden.
        own = (path for path in files_in(self.folder) if self.inbox not in path.parents)
        yield from ((path.relative_to(self.folder).as_posix(), path) for path in own)
        loose = {self._received_name(path): path for path in files_in(self.inbox)}
        yield from loose.items()
        for archive in archives_under(self.inbox):
            try:
                self._packed |= self._names(archive)
            except ARCHIVE_ERRORS:
                # The archive itself is then the file that cannot be read.
                yield self._received_name(archive), archive
        # A pack that was broken off leaves files that lie loose, too.
        yield from ((name, one.folder / one.name) for name, one in self._packed.items() if name not in loose)

    def _names(self, archive: Path) -> dict[str, PackedFile]:
        return {self._received_name(one.folder / one.name): one for one in files_of(archive)}

    def _received_name(self, path: Path) -> str:
        return f"{RECEIVED}/{path.relative_to(self.inbox).as_posix()}"

    def _size_and_time(self, relative: str, path: Path) -> tuple[int, int]:
        """Of what it is, or of the link where that leads nowhere; of a packed file, those that it had."""
        try:
            stat = _stat(path)
        except FileNotFoundError:
            if (packed := self._find_packed(relative)) is None:
                raise
            return packed.size, packed.modified_ns
        return stat.st_size, stat.st_mtime_ns

    def _find_packed(self, relative: str) -> PackedFile | None:
        """A file of the inbox that does not lie loose; another lakehouse may have packed it just now."""
        if relative not in self._packed and relative.startswith(f"{RECEIVED}/"):
            for archive in archives_in(self._path(relative).parent):
                self._packed |= self._names(archive)
        return self._packed.get(relative)

    def _packed_content(self, relative: str) -> bytes:
        """Raises FileNotFoundError where no archive has the file, and RefusedArchiveError for one that is damaged."""
        try:
            if (packed := self._find_packed(relative)) is not None:
                return self._archives.read(packed.archive, packed.name)
        except (*ARCHIVE_ERRORS, KeyError) as error:
            raise RefusedArchiveError(fault_of(error)) from error
        raise FileNotFoundError(f"{relative} is no longer there")

    def _path(self, container: str) -> Path:
        """Where a file of that name lies."""
        first, _, rest = container.partition("/")
        return self.inbox / rest if first == RECEIVED else self.folder / container

    def _again(self, files: list[LandedFile]) -> list[LandedFile]:
        """Files whose container did not change; who they belong to and which parser reads them may have."""
        return [replace(f, listener=listener_of(f.container, self.default_listener)) for f in files]

    def _examine(self, path: Path, relative: str, size: int, modified_ns: int) -> list[LandedFile]:
        row = self._row(relative, size, modified_ns)
        try:
            found = self.examiner.examine(path, _stat(path), row)
        except FileNotFoundError:
            found = self.examiner.examine_content(lambda: self._packed_content(relative), path.name, row)
        return [_advised(self._with_owner(file)) for file in found]

    def _row(self, relative: str, size: int, modified_ns: int) -> LandedFile:
        return LandedFile(
            file_hash="",
            path=relative,
            container=relative,
            member=None,
            container_bytes=size,
            container_modified_ns=modified_ns,
            listener=listener_of(relative, self.default_listener),
            source=None,
            target=None,
            status="unknown",
            reason=None,
            rows=None,
            parser=None,
            is_present=True,
            first_run_id=self.run_id,
            run_id=self.run_id,
        )

    def _unnamed(self, relative: str, size: int, modified_ns: int) -> list[LandedFile]:
        """A file whose name is no text, so that no table can hold it."""
        shown = os.fsencode(relative).decode("utf-8", "backslashreplace")
        row = self._row(shown, size, modified_ns)
        named = hashlib.sha256(shown.encode()).hexdigest()
        return [replace(row, file_hash=named, status="broken", reason="its name is not UTF-8: rename it")]

    def _with_owner(self, file: LandedFile) -> LandedFile:
        """Unknown, if the file is at a place that belongs to no listener, and of a source whose rows have to."""
        if file.source is None:
            return file
        if file.listener == EVERYONE and file.source not in self.shared:
            reason = f"files in {EVERYONE} are for everybody, and these rows belong to one listener: move it"
        elif file.listener == RECEIVED and file.source not in self.received:
            reason = "the inbox holds only what `lakehouse` received itself: move it into the landing folder"
        elif file.source in self.received and is_brought(file.container):
            reason = "a file that `lakehouse` writes itself, and a person brought it: restore the inbox from a backup instead"
        else:
            return file
        return replace(file, source=None, target=None, status="unknown", reason=reason, parser=self.examiner.all_parsers)

    def _compare(
        self,
        present: dict[tuple[str, str], LandedFile],
        remembered: dict[tuple[str, str], LandedFile],
        targets: Collection[str],
        reread: Collection[str],
    ) -> Scan:
        state: dict[tuple[str, str], LandedFile] = {k: replace(f, is_present=False) for k, f in remembered.items()}
        by_age = sorted(remembered.values(), key=lambda f: (f.run_id, f.is_present))
        owners = {f.file_hash: f for f in by_age if f.status == "ingested" and f.target not in reread}
        broken = {(f.file_hash, f.parser): f for f in by_age if f.status == "broken"}
        ever_broken = {f.file_hash for f in by_age if f.status == "broken"}
        listeners: dict[str, set[str]] = {}
        for file in present.values():
            listeners.setdefault(file.file_hash, set()).add(file.listener)
        new: dict[str, LandedFile] = {}
        newly_broken: dict[str, LandedFile] = {}
        for key in sorted(present, key=lambda k: k[1]):
            file, before = present[key], remembered.get(key)
            if before is not None:
                file = replace(file, first_run_id=before.first_run_id, run_id=before.run_id if before.is_present else self.run_id)
            if file.status == "broken" and file.source is None:
                if file.file_hash not in ever_broken:
                    newly_broken.setdefault(file.file_hash, file)
                state[key] = file
            elif file.source is None:
                state[key] = file
            else:
                file = replace(file, parser=self.parsers.get(file.source))
                known_broken = broken.get((file.file_hash, file.parser))
                decided = self._decide(file, known_broken, owners.get(file.file_hash), new, listeners[file.file_hash], targets)
                state[key] = decided
        return Scan(tuple(state.values()), tuple(new.values()), tuple(newly_broken.values()))

    def _decide(
        self,
        file: LandedFile,
        known_broken: LandedFile | None,
        owner: LandedFile | None,
        new: dict[str, LandedFile],
        listeners: set[str],
        targets: Collection[str],
    ) -> LandedFile:
        """Whether a recognised file is to be read: its content is unknown, or its parser or listener changed."""
        if file.file_hash in new:
            return self._repeated(file, new[file.file_hash])
        if known_broken is not None:
            return replace(file, status="broken", reason=known_broken.reason)
        if owner is None or owner.parser != file.parser or owner.listener not in listeners:
            if file.target not in targets:
                return replace(file, status="waiting", reason="its table was not selected")
            new[file.file_hash] = replace(file, status="new", reason=None)
            return new[file.file_hash]
        if owner.path == file.path:
            return replace(file, status="ingested", reason=None, rows=owner.rows, listener=owner.listener)
        return self._repeated(file, owner)

    def _repeated(self, file: LandedFile, owner: LandedFile) -> LandedFile:
        """The file as one whose content was read elsewhere."""
        is_whose = (
            f", which belongs to {owner.listener}: not read for {file.listener}" if self.is_lost(file, owner.listener) else ""
        )
        return replace(file, status="duplicate", reason=f"same content as {owner.path}{is_whose}")

    def is_lost(self, file: LandedFile, reader: str | None) -> bool:
        """Whether the file's listener goes without its rows, because they count for `reader` alone."""
        return file.listener != reader and file.source not in self.shared

    def read(self, file: LandedFile, target: Path, constants: dict[str, Any]) -> LandedFile:
        """Write the file's rows to a Parquet file at `target`; returns its new state, broken if it cannot be read.

        Every row carries file_hash, row_number (from 1, in the file's order), source, file_name and `constants`.
        """
        partial = target.with_suffix(".partial")
        try:
            with self._open(file) as stream:
                rows = self._write(stream, partial, file, constants)
        except (BrokenFileError, RefusedArchiveError, FileNotFoundError) as error:
            partial.unlink(missing_ok=True)
            return _advised(replace(file, status="broken", reason=str(error), run_id=self.run_id))
        if rows:
            partial.rename(target)
        return replace(file, status="ingested", reason=None, rows=rows, run_id=self.run_id)

    def _write(self, stream: IO[bytes], path: Path, file: LandedFile, constants: dict[str, Any]) -> int:
        """Write the file's rows, whatever its encoding; returns their number."""
        source = next(s for s in self.sources if s.name == file.source)
        encoding = encoding_of(stream.read(SAMPLE_BYTES))
        try:
            return write_rows(only_own(source.read(as_utf8(stream, encoding), file.listener), file), path, file, constants)
        except NotUtf8Error:
            if encoding != UTF_8 or not is_windows_text(stream):
                raise
            return write_rows(only_own(source.read(as_utf8(stream, WINDOWS), file.listener), file), path, file, constants)

    @contextmanager
    def _open(self, file: LandedFile) -> Iterator[IO[bytes]]:
        path = self._path(file.container)
        try:
            opened: IO[bytes] = path.open("rb")
        except FileNotFoundError:
            opened = io.BytesIO(self._packed_content(file.container))
        with opened as stream:
            if file.member is None:
                yield stream
                return
            try:
                with open_member(stream, file.container_bytes, Budget(self.max_bytes), file.member, path.name) as member:
                    yield member
            except (*ARCHIVE_ERRORS, KeyError) as error:
                raise RefusedArchiveError(fault_of(error)) from error


def _advised(file: LandedFile) -> LandedFile:
    """With what helps where the product received the file itself: nobody can download it again."""
    is_received = file.container.split("/")[0] == RECEIVED and not is_brought(file.container)
    if file.status != "broken" or file.reason is None or not is_received:
        return file
    return replace(file, reason=DOWNLOAD.sub("", file.reason) + RECEIVED_REMEDY)


def _is_text(name: str) -> bool:
    """Whether a name from the file system can be written as UTF-8."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def _stat(path: Path) -> os.stat_result:
    """Of what it is, or of the link where that leads nowhere."""
    try:
        return path.stat()
    except OSError:
        return path.lstat()
