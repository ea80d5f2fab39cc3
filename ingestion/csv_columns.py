"""Columns of a CSV file whose header may be written in another case, with blanks around its names, or in another order."""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import IO

import pyarrow as pa

from ingestion.csv_rows import header_of, read_csv
from lakehouse.declare import SAMPLE_BYTES, BrokenFileError, Sample


def columns_of(sample: Sample) -> set[str]:
    """The names of the header, in lower case and without blanks around them."""
    return {_folded(name) for name in header_of(sample)}


def read_columns(stream: IO[bytes], wanted: Mapping[str, str]) -> Iterator[pa.RecordBatch]:
    """The columns `wanted` (ours to theirs, folded) as text, under our names; an absent column is null.

    Raises BrokenFileError where read_csv does, and where two columns have one name.
    """
    start = stream.read(SAMPLE_BYTES)
    header = header_of(Sample("", start.decode("utf-8", "replace")))
    if twice := [name for name, number in Counter(map(_folded, header)).items() if number > 1 and name in wanted.values()]:
        raise BrokenFileError(f"two columns are named {twice[0]}: remove one, or download the file again")
    written = {_folded(name): name for name in header}
    names = [written.get(theirs, theirs) for theirs in wanted.values()]
    for batch in read_csv(io.BufferedReader(_PutBack(start, stream)), names):
        yield batch.rename_columns(list(wanted))


def _folded(name: str) -> str:
    return name.strip().lower()


class _PutBack(io.RawIOBase):
    """A stream whose beginning was read already."""

    def __init__(self, start: bytes, rest: IO[bytes]) -> None:
        self.start, self.rest = start, rest

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        block = self.start[: len(buffer)] or self.rest.read(len(buffer))
        self.start = self.start[len(block) :]
        buffer[: len(block)] = block
        return len(block)
