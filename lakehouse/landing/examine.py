"""What a file of the landing folder is: which source reads it, or what to tell of it."""

from __future__ import annotations

import hashlib
import io
import os
import stat as stat_module
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import IO

from lakehouse.declare.source import SAMPLE_BYTES, Explainer, Explanation, NamedSource, ReceivedSource, Sample, Source
from lakehouse.landing import formats
from lakehouse.landing.archive import ARCHIVE_ERRORS, RefusedArchiveError, fault_of
from lakehouse.landing.container import MEMBER, Budget, Member, members
from lakehouse.landing.encoding import encoding_of
from lakehouse.settings import EVERYONE, NAMES_REFUSED, RECEIVED, is_person
from lakehouse.storage.landed_files import LandedFile

READ_BYTES = 1024 * 1024
UNKNOWN = Explanation("no source recognises this content: convert it to a format that the documentation lists, or remove it")


class Examiner:
    """Tells what files are by what is in them."""

    def __init__(
        self, sources: Sequence[Source], explainers: Sequence[Explainer], parsers: Mapping[str, str], max_bytes: int
    ) -> None:
        """`parsers`: by the name of each source, and of each module of explainers, the fingerprint of its code."""
        self.sources, self.explainers, self.parsers, self.max_bytes = sources, explainers, parsers, max_bytes
        # An inbox has thousands of files, and what looks for tables of text takes its time to find that they are none.
        self.received_first = sorted(sources, key=lambda source: not isinstance(source, ReceivedSource))
        self.all_parsers = hashlib.sha256("".join(sorted(parsers.values())).encode()).hexdigest()

    def examine(self, path: Path, stat: os.stat_result, row: LandedFile) -> list[LandedFile]:
        """The file as one row, or a row for each file in it; `row` is the file before anything is known of its content.

        Raises FileNotFoundError where it is gone.
        """
        try:
            if not stat_module.S_ISREG(stat.st_mode):
                _refuse(path)
            if row.listener not in (EVERYONE, RECEIVED) and not is_person(row.listener):
                reason = f"{row.listener!r} cannot be a listener's name ({NAMES_REFUSED}): rename the folder"
                return [self._broken(row, sha256_of(path), reason)]
            with path.open("rb") as stream:
                return self._examined(stream, stat.st_size, path.name, row)
        except FileNotFoundError:
            raise
        except OSError as error:
            return [self._broken(row, f"unreadable:{row.path}", error.strerror or str(error))]

    def examine_content(self, content: Callable[[], bytes], name: str, row: LandedFile) -> list[LandedFile]:
        """The same of a file in a packed folder. Raises FileNotFoundError where `content` does."""
        try:
            found = content()
        except RefusedArchiveError as error:
            return [self._broken(row, f"unreadable:{row.path}", str(error))]
        return self._examined(io.BytesIO(found), len(found), name, row)

    def _examined(self, stream: IO[bytes], size: int, name: str, row: LandedFile) -> list[LandedFile]:
        row = replace(row, parser=self.all_parsers)
        try:
            rows = [self._landed(row, member) for member in members(stream, size, Budget(self.max_bytes), name)]
        except RefusedArchiveError as error:
            return [self._broken(row, _sha256(stream), str(error))]
        if len({one.path for one in rows}) < len(rows):
            return [self._broken(row, _sha256(stream), f"two members have the same name: {formats.UNPACK}")]
        return rows

    def _broken(self, row: LandedFile, file_hash: str, reason: str) -> LandedFile:
        return replace(row, file_hash=file_hash, status="broken", reason=reason, parser=self.all_parsers)

    def _landed(self, row: LandedFile, member: Member) -> LandedFile:
        if member.name is None:
            assert member.stream is not None  # noqa: S101
            return self._recognise(row, member.stream, str(row.container_bytes))
        row = replace(row, path=f"{row.container}{MEMBER}{member.name}", member=member.name)
        if member.stream is None:
            return _damaged(row, member, str(member.fault))
        try:
            return self._recognise(row, member.stream, member.mark)
        except (*ARCHIVE_ERRORS, RefusedArchiveError) as error:
            return _damaged(row, member, fault_of(error))

    def _recognise(self, row: LandedFile, stream: IO[bytes], mark: str) -> LandedFile:
        """The file with its source, or with what to tell of it. `mark` stands for the content that is not read."""
        start = stream.read(SAMPLE_BYTES)
        digest = hashlib.sha256(start)
        found = self.identified(row.path, start, received_first=row.listener == RECEIVED)
        if isinstance(found, Explanation) and found.status == "ignored" and len(start) == SAMPLE_BYTES:
            # Nobody needs more of it; its size stands for the rest.
            digest.update(mark.encode())
        else:
            for block in iter(lambda: stream.read(READ_BYTES), b""):
                digest.update(block)
        row = replace(row, file_hash=digest.hexdigest())
        if isinstance(found, Explanation):
            return replace(row, status=found.status, reason=found.reason)
        return replace(row, source=found.name, target=found.target, status="new", parser=self.parsers[found.name])

    def identified(self, name: str, start: bytes, *, received_first: bool = False) -> Source | Explanation:
        """The source that reads a file which begins with these bytes (SAMPLE_BYTES of it), or what to tell of the file."""
        sample = Sample(name, start.decode(encoding_of(start), "replace"))
        for source in self.received_first if received_first else self.sources:
            if source.recognises(sample):
                return source
        return self._explained(sample, start)

    def _explained(self, sample: Sample, start: bytes) -> Explanation:
        """What to tell of a file that no source recognises."""
        if not start.strip():
            return Explanation("the file is empty: download it again, or remove it", "broken")
        for explainer in self.explainers:
            if (explanation := explainer.explain(sample)) is not None:
                return explanation
        spoilt = [source.name for source in self.sources if isinstance(source, NamedSource) and source.is_spoilt(sample)]
        if spoilt:
            reason = f"its name is that of a {spoilt[0]} file, but its content is not: download it again, or rename it"
            return Explanation(reason, "broken")
        return formats.explain(start, sample.name) or UNKNOWN


def _damaged(row: LandedFile, member: Member, fault: str) -> LandedFile:
    """A member that cannot be read: its directory entry stands for its content."""
    return replace(row, file_hash=f"unreadable:{row.path}:{member.mark}", status="broken", reason=fault)


def _refuse(path: Path) -> None:
    """Raises OSError for what is no file."""
    if path.is_dir():
        next(path.iterdir(), None)
    raise OSError("a broken link" if path.is_symlink() else "neither a file nor a folder")


def sha256_of(path: Path) -> str:
    """SHA-256 of the file's content, in hex."""
    with path.open("rb") as stream:
        return _sha256(stream)


def _sha256(stream: IO[bytes]) -> str:
    digest = hashlib.sha256()
    stream.seek(0)
    for block in iter(lambda: stream.read(READ_BYTES), b""):
        digest.update(block)
    return digest.hexdigest()
