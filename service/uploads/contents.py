"""What is in an upload: which source reads each file in it, how many rows of which time, and whether its sender may bring it.

Runs in a process of its own (`service.uploads.look`): what strangers wrote is parsed here.
"""

from __future__ import annotations

import datetime as dt
import importlib
import io
import pkgutil
import re
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO

import pyarrow as pa
import pyarrow.compute as pc

import ingestion
from lakehouse.declare import SAMPLE_BYTES, BrokenFileError, Explanation, ReceivedSource, Source
from lakehouse.landing.archive import ARCHIVE_ERRORS, PUT_FILES, RefusedArchiveError, fault_of
from lakehouse.landing.container import MAGIC, Budget, Member, members
from lakehouse.landing.encoding import as_utf8, encoding_of
from lakehouse.landing.examine import Examiner
from lakehouse.landing.formats import UNPACK
from lakehouse.landing.owners import other_listener
from lakehouse.settings import HOUSE
from service.uploads.refusal import BRING, RefusedUploadError

# What a listener brings changes nobody else's figures; a catalogue or an answer of a source would.
OWN_TARGETS = ("listening_history", "dislike_rows", "corrections")
# Their rows name listeners, whoever brings them.
NAMING_SOURCES = ("lastfm_1k", "synthetic")
SYNTHETIC = "synthetic"
# The run alone counts the rows of larger uploads, of larger files, and of what is left after so many seconds.
COUNTED_UPLOAD_BYTES, COUNTED_BYTES, COUNTED_SECONDS = 128 * 2**20, 64 * 2**20, 15.0
MOST_FILES = 5000
UNIX_SECONDS, DAY = re.compile(r"\d{10}(\.\d+)?"), re.compile(r"\d{4}-\d\d-\d\d")


@dataclass(frozen=True)
class Sender:
    """Who brings a file, and for whom."""

    listener: str | None
    """None: for the house"""
    is_admin: bool


@dataclass(frozen=True)
class FoundFile:
    """A file in an upload, or the upload itself."""

    name: str | None
    """within its archive"""
    source: str | None
    """None for a file that no source reads, for the `reason`"""
    reason: str | None = None
    is_ignored: bool = False
    """whether it is of no interest, as no export is without such files"""
    rows: int | None = None
    """None: not counted"""
    first_day: str | None = None
    last_day: str | None = None


def check_start(start: bytes, suffix: str, sender: Sender) -> None:
    """Raises RefusedUploadError for the start of no file to bring; an archive is not judged by its start."""
    if start[:3] in MAGIC or start[:4] in MAGIC:
        return
    found = _examiner().identified(f"upload{suffix}", start)
    if isinstance(found, Explanation):
        raise RefusedUploadError(415, f"The file cannot be used: {_here(found.reason)}. {BRING}")
    _check_source(found, sender)


def found_files(path: Path, suffix: str, sender: Sender, max_bytes: int) -> list[FoundFile]:
    """Everything in an upload, in the archive's order. Raises RefusedUploadError for one that is not to be stored."""
    found: list[FoundFile] = []
    is_counted = path.stat().st_size <= COUNTED_UPLOAD_BYTES
    end = time.monotonic() + (COUNTED_SECONDS if is_counted else 0)
    try:
        with path.open("rb") as stream:
            for member in members(stream, path.stat().st_size, Budget(max_bytes), f"upload{suffix}"):
                if len(found) == MOST_FILES:
                    raise RefusedUploadError(413, f"The archive holds more than {MOST_FILES:,} files. {BRING}")
                found.append(_found(member, suffix, sender, end))
    except (*ARCHIVE_ERRORS, RefusedArchiveError) as error:
        raise RefusedUploadError(415, f"The file cannot be used: {_here(fault_of(error))}. {BRING}") from error
    if not any(one.source for one in found):
        raise RefusedUploadError(415, _nothing(found))
    return found


def _found(member: Member, suffix: str, sender: Sender, end: float) -> FoundFile:
    if member.stream is None:
        return FoundFile(member.name, None, member.fault)
    try:
        start = member.stream.read(SAMPLE_BYTES)
        source = _examiner().identified(f"upload{suffix}" if member.name is None else f"upload!{member.name}", start)
        if isinstance(source, Explanation):
            return FoundFile(member.name, None, _here(source.reason), source.status == "ignored")
        _check_source(source, sender)
        _ask_first(source)
        found = FoundFile(member.name, source.name)
        _check_beginning(source, start, sender)
        return found if time.monotonic() >= end else _counted(found, source, start, member.stream, sender)
    except (BrokenFileError, RefusedArchiveError, *ARCHIVE_ERRORS) as error:
        return FoundFile(member.name, None, str(error) if isinstance(error, BrokenFileError) else fault_of(error))


def _counted(found: FoundFile, source: Source, start: bytes, stream: IO[bytes], sender: Sender) -> FoundFile:
    """With its rows and days, unless the file is large. Raises RefusedUploadError for a row of another listener."""
    stream.seek(0)
    content = stream.read(COUNTED_BYTES + 1)
    if len(content) > COUNTED_BYTES:
        return found
    rows, days = 0, list[str]()
    for batch in _batches(source, content, start, sender):
        rows += batch.num_rows
        days += _days(batch)
    return replace(found, rows=rows, first_day=min(days, default=None), last_day=max(days, default=None))


def _check_beginning(source: Source, start: bytes, sender: Sender) -> None:
    """Raises RefusedUploadError for a row of another listener in the first lines of a file that is read line by line.

    A row further on, in a file that is not counted here, is refused by the run.
    """
    with suppress(BrokenFileError):
        for _ in _batches(source, start[: start.rfind(b"\n") + 1], start, sender):
            pass


def _batches(source: Source, content: bytes, start: bytes, sender: Sender) -> Iterator[pa.RecordBatch]:
    """The rows of a file. Raises RefusedUploadError for one of another listener, and BrokenFileError."""
    for batch in source.read(as_utf8(io.BytesIO(content), encoding_of(start)), sender.listener or HOUSE):
        if sender.listener is not None and (other := other_listener(batch, sender.listener)) is not None:
            raise RefusedUploadError(403, _names_others(f"the listener {other[:100]!r}", sender))
        yield batch


def _days(batch: pa.RecordBatch) -> Iterator[str]:
    """The first and the last day of the rows, as far as their times are written so that their order is that of their texts."""
    if "ts" not in batch.schema.names:
        return
    ends = pc.min_max(batch.column("ts")).as_py()
    for text in (ends["min"], ends["max"]):
        if text is not None and UNIX_SECONDS.fullmatch(text):
            yield dt.datetime.fromtimestamp(float(text), dt.timezone.utc).date().isoformat()
        elif text is not None and DAY.match(text):
            yield text[:10]


def _check_source(source: Source, sender: Sender) -> None:
    """Raises RefusedUploadError for a file of this source that the sender may not bring."""
    if isinstance(source, ReceivedSource):
        reason = "This is a file that the lakehouse writes itself. Restore the inbox from a backup instead."
        raise RefusedUploadError(415, reason)
    if sender.listener is None:
        return
    if source.name in NAMING_SOURCES:
        what = "synthetic listeners" if source.name == SYNTHETIC else "listeners of its own"
        raise RefusedUploadError(403, _names_others(what, sender))
    if source.target not in OWN_TARGETS:
        what = "This is a catalogue, which changes the figures of everybody."
        remedy = "Choose “the house” for it." if sender.is_admin else "Only the admin can bring it."
        raise RefusedUploadError(403, f"{what} {remedy}")


def _names_others(what: str, sender: Sender) -> str:
    remedy = "Choose “the house” for it." if sender.is_admin else "Only the admin can bring it."
    return f"This file names {what}. {remedy}"


def _nothing(found: list[FoundFile]) -> str:
    """Why an upload without anything to read is refused."""
    reasons = [one for one in found if not one.is_ignored]
    if len(found) == 1 or len(reasons) == 1:
        one = (reasons or found)[0]
        name = "The file" if one.name is None else f"{one.name[-200:]!r}"
        return f"{name} cannot be used: {one.reason}. {BRING}"
    return f"None of the {len(found):,} files in the archive holds plays that can be read. {BRING}"


def _here(reason: str) -> str:
    """A reason of a landing file, for one who has no landing folder."""
    there = reason.replace(UNPACK, "unpack it, and bring its files")
    return there.replace(PUT_FILES, "unpack it with care, and bring the files that you trust").removesuffix(".")


def _ask_first(source: Source) -> None:
    """The files of an export are alike, and to find that a text is no table takes a tenth of a second."""
    asked = _examiner().sources
    _examiner().sources = [source, *(other for other in asked if other is not source)]


_examiners: list[Examiner] = []


def _examiner() -> Examiner:
    if not _examiners:
        modules = [importlib.import_module(f"ingestion.{module.name}") for module in pkgutil.iter_modules(ingestion.__path__)]
        found = [source for module in modules for source in getattr(module, "SOURCES", ())]
        _examiners.append(Examiner(sorted(found, key=lambda source: str(source.name)), ingestion.explainers(), {}, 0))
    return _examiners[0]
