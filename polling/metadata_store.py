"""Metadata files in the inbox, INBOX/metadata/answers/YYYY-MM/NUMBER-DATE.json.gz, and how far fetching has come.

A file holds answers of one source and one kind. What is known is known from these files and from the tables made of them; the
progress beside them holds only what they do not tell.
"""

from __future__ import annotations

import datetime as dt
import gzip
import json
import zlib
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from music.metadata import METADATA_FORMAT
from polling.envelope import MOST_EXPANDED, EnvelopeError, as_text
from polling.files import make_folder, write_file
from polling.inbox_files import last_number, loose_files
from polling.places import AccountPlace
from polling.state import StateError, locked

PROGRESS_FORMAT = "listening-lakehouse/metadata-progress/1"


@dataclass(frozen=True)
class Told:
    """One answer, and what it is about."""

    about: Mapping[str, Any]
    request: Mapping[str, str]
    server_date: dt.datetime
    answer: Any
    """the whole answer; None where the source does not know what was asked for"""


@dataclass(frozen=True)
class MetadataFile:
    """The answers of a file, as far as it matters to what is fetched next."""

    source: str
    kind: str
    about: Sequence[tuple[Mapping[str, Any], dt.datetime]]
    """what each answer is about, and its date"""


@dataclass
class Progress:
    """What the files do not tell."""

    sequence: int = 0
    """number of the last file"""
    polled: dict[str, int] = field(default_factory=dict)
    """by account (SOURCE/ID), the last poll file that was searched for metadata"""
    retry_at: dict[str, dt.datetime] = field(default_factory=dict)
    """by source, before which it is not asked"""


class MetadataStore:
    """The metadata files of an inbox."""

    def __init__(self, inbox: Path, observer: Callable[[str, str], None] | None = None) -> None:
        """`observer` is called with source and kind of each answer that was fetched."""
        self.observer = observer
        self.place = AccountPlace(inbox, "metadata", "answers")
        # No .json: it is no state of an account.
        self._path = self.place.state.with_suffix(".progress")
        self.progress = Progress()

    def locked(self) -> AbstractContextManager[None]:
        """Hold the lock of these files. Raises BusyError where another process has it, and OSError."""
        return locked(self.place)

    def load(self) -> None:
        """Read the progress, under the lock. Raises StateError and OSError."""
        try:
            document = json.loads(self._path.read_bytes())
            if document["format"] != PROGRESS_FORMAT:
                raise ValueError(f"its format is {document['format']!r}")
            retry_at = {source: dt.datetime.fromisoformat(text) for source, text in document["retry_at"].items()}
            self.progress = Progress(int(document["sequence"]), dict(document["polled"]), retry_at)
        except FileNotFoundError:
            self.progress = Progress()
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise StateError(f"{self._path} cannot be read: remove it") from error
        self.progress.sequence = max(self.progress.sequence, last_number(loose_files(self.place), is_backfill=False))

    def save(self) -> None:
        """Replace the progress. Raises OSError; the old one stays then."""
        document = {
            "format": PROGRESS_FORMAT,
            "sequence": self.progress.sequence,
            "polled": self.progress.polled,
            "retry_at": {source: moment.isoformat() for source, moment in self.progress.retry_at.items()},
        }
        make_folder(self._path.parent)
        write_file(self._path, json.dumps(document, indent=1).encode("ascii"))

    def write(self, source: str, kind: str, answers: Sequence[Told]) -> Path:
        """Write a file of at least one answer; returns its path once it is on disk. Raises OSError; nothing is there then."""
        date = max(answer.server_date for answer in answers).astimezone(dt.timezone.utc)
        folder = self.place.folder / f"{date:%Y-%m}"
        make_folder(folder)
        told = [{**vars(answer), "server_date": as_text(answer.server_date)} for answer in answers]
        document = {"format": METADATA_FORMAT, "kind": kind, "source": source, "answers": told}
        content = json.dumps(document).encode("ascii")
        packed = gzip.compress(content, mtime=0)
        is_packed = len(packed) * MOST_EXPANDED > len(content)
        path = folder / f"{self.progress.sequence + 1:08d}-{date:%Y%m%dT%H%M%SZ}.json{'.gz' if is_packed else ''}"
        write_file(path, packed if is_packed else content, self.place.part)
        self.progress.sequence += 1
        return path

    def unread(self, read: Collection[str]) -> Iterator[MetadataFile]:
        """The files whose names (without .gz) no run has read. Raises EnvelopeError and OSError."""
        for file in loose_files(self.place):
            if file.name.removesuffix(".gz") not in read:
                yield _file(file.folder / file.name)


def _file(path: Path) -> MetadataFile:
    try:
        raw = path.read_bytes()
        document = json.loads(gzip.decompress(raw) if path.suffix == ".gz" else raw)
        about = [(dict(one["about"]), dt.datetime.fromisoformat(one["server_date"])) for one in document["answers"]]
        return MetadataFile(document["source"], document["kind"], about)
    except (ValueError, KeyError, TypeError, AttributeError, EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise EnvelopeError(f"{path} is no metadata file: {error}; restore it from a backup, or move it away") from error
