"""Reading CSV files as text, with quotes, separators and line breaks inside fields.

Files are separated by commas, semicolons (as spreadsheets save in half of Europe) or tabs. Names of columns count without
letter case and blanks around them.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import IO

import pyarrow as pa
import pyarrow.csv as pa_csv

from lakehouse.declare import SAMPLE_BYTES, BrokenFileError, NotUtf8Error, Sample

BLOCK_BYTES = 8 * 1024 * 1024
SEPARATORS = (",", ";", "\t")
# Excel writes the separator into a line of its own before the header.
STATED_SEPARATOR = re.compile(r"\"?sep=(.)\"?", re.IGNORECASE)


@dataclass(frozen=True)
class Layout:
    """How a CSV file is written: its separator, the fields of its first line as they are, and the lines before that one."""

    separator: str
    first_row: tuple[str, ...]
    skipped_lines: int = 0


def layout_of(text: str) -> Layout:
    """The layout of a file that begins with the text; of several possible separators, the one that gives the most fields."""
    lines = [line for line in re.split(r"\r\n|\r|\n", text.removeprefix("\ufeff"), maxsplit=20) if line.strip()]
    if not lines or "\x00" in lines[0]:
        return Layout(",", ())
    if stated := STATED_SEPARATOR.fullmatch(lines[0].strip()):
        return Layout(stated.group(1), _fields(lines[1], stated.group(1)) if len(lines) > 1 else (), 1)
    rows = {separator: _fields(lines[0], separator) for separator in SEPARATORS}
    separator = max(SEPARATORS, key=lambda one: len(rows[one]))
    return Layout(separator, rows[separator])


def _fields(line: str, separator: str) -> tuple[str, ...]:
    try:
        return tuple(next(csv.reader([line], delimiter=separator), ()))
    except csv.Error:
        return ()


def normal(name: str) -> str:
    """The name of a column without letter case and blanks around it."""
    return name.strip().lower()


def header_of(sample: Sample) -> list[str]:
    """The fields of the first line, in lower case and without blanks around them; empty where there is none."""
    return [normal(name) for name in layout_of(sample.text).first_row]


def rows_of(sample: Sample, lines: Sequence[str]) -> list[list[str]]:
    """The lines as rows, with the separator of the sample; empty where they are none."""
    try:
        return list(csv.reader(lines, delimiter=layout_of(sample.text).separator))
    except csv.Error:
        return []


def read_csv(stream: IO[bytes], names: list[str], all_columns: Sequence[str] = ()) -> Iterator[pa.RecordBatch]:
    """The named columns as text, row by row in order; an absent column is null, an empty field too.

    `all_columns` names the columns of a file that has no header.
    Raises BrokenFileError where a row has another number of fields than the header, and NotUtf8Error for other bytes.
    """
    layout = layout_of(stream.read(SAMPLE_BYTES).decode("utf-8", "replace"))
    stream.seek(0)
    written = {normal(name): name for name in reversed(layout.first_row)}
    columns = [name if all_columns or name in layout.first_row else written.get(normal(name), name) for name in names]
    # Without include_missing_columns a column that an older file lacks would be an error instead of null.
    convert = pa_csv.ConvertOptions(
        column_types=dict.fromkeys(columns, pa.string()),
        include_columns=columns,
        include_missing_columns=True,
        strings_can_be_null=True,
        quoted_strings_can_be_null=True,
        null_values=[""],
    )
    parse = pa_csv.ParseOptions(newlines_in_values=True, delimiter=layout.separator)
    # Only one thread can tell which row is wrong.
    options = pa_csv.ReadOptions(
        use_threads=False, block_size=BLOCK_BYTES, column_names=list(all_columns) or None, skip_rows=layout.skipped_lines
    )
    try:
        for rows in pa_csv.open_csv(stream, options, parse, convert):
            yield pa.RecordBatch.from_arrays(rows.columns, names=names)
    except pa.ArrowInvalid as error:
        # The message may go on with the row itself, which can name a person.
        reason = re.sub(r"(got [0-9]+):.*", r"\1", str(error), flags=re.DOTALL).splitlines()[0]
        if "UTF8" in reason:
            raise NotUtf8Error(f"not a readable CSV file: {reason[:200]}: save it as UTF-8") from error
        remedy = "correct that row, or download the file again"
        raise BrokenFileError(f"not a readable CSV file: {reason[:200]}: {remedy}") from error
