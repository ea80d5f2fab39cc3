"""Columns of a CSV file by name, whatever their order."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import IO

import pyarrow as pa

from ingestion.csv_rows import header_of, read_csv
from lakehouse.declare import SAMPLE_BYTES, BrokenFileError, Sample


def columns_of(sample: Sample) -> set[str]:
    """The names of the header, in lower case and without blanks around them."""
    return set(header_of(sample))


def read_columns(stream: IO[bytes], wanted: Mapping[str, str]) -> Iterator[pa.RecordBatch]:
    """The columns `wanted` (ours to theirs, in lower case) as text, under our names; an absent column is null.

    Raises BrokenFileError where read_csv does, and where two columns have one name.
    """
    header = header_of(Sample("", stream.read(SAMPLE_BYTES).decode("utf-8", "replace")))
    stream.seek(0)
    if twice := [name for name, number in Counter(header).items() if number > 1 and name in wanted.values()]:
        raise BrokenFileError(f"two columns are named {twice[0]}: remove one, or download the file again")
    for batch in read_csv(stream, list(wanted.values())):
        yield batch.rename_columns(list(wanted))
