"""What a source of landing files is: it recognises a file by its content and yields its rows; it knows nothing of Delta."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO, Literal, Protocol, runtime_checkable

import pyarrow as pa


class BrokenFileError(Exception):
    """A file that was recognised and cannot be read; the message says why and where."""


class NotUtf8Error(BrokenFileError):
    """A file that cannot be read because its text is not UTF-8; it is read once more where its encoding is certain."""


@dataclass(frozen=True)
class Sample:
    """The beginning of a file (at most `SAMPLE_BYTES`), as text with undecodable bytes replaced; UTF-16 is decoded as such."""

    name: str
    text: str


SAMPLE_BYTES = 64 * 1024


@runtime_checkable
class Source(Protocol):
    """One kind of landing file."""

    name: str
    """Names the format (`spotify_extended`); stands in bronze beside each row."""
    target: str
    """The bronze table its rows go to, without layer."""

    def recognises(self, sample: Sample) -> bool:
        """Whether the content is of this format; looks at content only, never at the name."""

    def read(self, stream: IO[bytes], listener: str) -> Iterator[pa.RecordBatch]:
        """Yield the file's rows in order, with the columns of the target's landing schema. Raises BrokenFileError."""


@runtime_checkable
class SharedSource(Source, Protocol):
    """A source whose rows count for the listener of every place that holds them, so that two listeners' files may be the same.

    Its tables tell from ops.ingestion_state whose rows they are, not from the rows.
    """

    is_shared: Literal[True]


@runtime_checkable
class ReceivedSource(Source, Protocol):
    """A source of files that the product receives itself, each of which names its listener; the inbox holds no others."""

    is_received: Literal[True]


@runtime_checkable
class NamedSource(Source, Protocol):
    """A source whose files have names of their own, which tell what a file should hold that it no longer holds."""

    def is_spoilt(self, sample: Sample) -> bool:
        """Whether a file that no source recognises is one of this format that was damaged: it is then broken, not unknown."""


@dataclass(frozen=True)
class Explanation:
    """What a person is told of a file that no source reads."""

    reason: str
    """What the file is, and what to do about it."""
    status: Literal["unknown", "broken", "ignored"] = "unknown"
    """unknown is a warning; broken fails the first run that finds it; ignored files hold nothing of interest."""


@runtime_checkable
class Explainer(Protocol):
    """Knows files that no source reads, so that a person is told what they are."""

    def explain(self, sample: Sample) -> Explanation | None:
        """What to tell of a file that no source recognises; None for a file that is not known here either."""
