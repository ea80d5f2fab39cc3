"""Reading CSV files as text, with quotes, commas and line breaks inside fields."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Sequence
from typing import IO

import pyarrow as pa
import pyarrow.csv as pa_csv

from lakehouse.declare import BrokenFileError, Sample

BLOCK_BYTES = 8 * 1024 * 1024


def header_of(sample: Sample) -> list[str]:
    """The fields of the first line; empty where there is none."""
    if "\x00" in sample.text:
        return []
    try:
        # Old Mac files end lines with a carriage return alone.
        return next(csv.reader(io.StringIO(sample.text.lstrip("\ufeff"), newline="")), [])
    except csv.Error:
        return []


def read_csv(stream: IO[bytes], names: list[str], all_columns: Sequence[str] = ()) -> Iterator[pa.RecordBatch]:
    """The named columns as text, row by row in order; an absent column is null, an empty field too.

    `all_columns` names the columns of a file that has no header.
    Raises BrokenFileError where a row has another number of fields than the header, or bytes are not UTF-8.
    """
    # Without include_missing_columns a column that an older file lacks would be an error instead of null.
    convert = pa_csv.ConvertOptions(
        column_types=dict.fromkeys(names, pa.string()),
        include_columns=names,
        include_missing_columns=True,
        strings_can_be_null=True,
        quoted_strings_can_be_null=True,
        null_values=[""],
    )
    parse = pa_csv.ParseOptions(newlines_in_values=True)
    try:
        # Only one thread can tell which row is wrong.
        options = pa_csv.ReadOptions(use_threads=False, block_size=BLOCK_BYTES, column_names=list(all_columns) or None)
        yield from pa_csv.open_csv(stream, options, parse, convert)
    except pa.ArrowInvalid as error:
        # The message may go on with the row itself, which can name a person.
        reason = re.sub(r"(got [0-9]+):.*", r"\1", str(error), flags=re.DOTALL).splitlines()[0]
        remedy = "save it as UTF-8" if "UTF8" in reason else "correct that row, or download the file again"
        raise BrokenFileError(f"not a readable CSV file: {reason[:200]}: {remedy}") from error
