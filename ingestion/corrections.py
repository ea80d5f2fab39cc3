"""What a listener knows better than the sources: a CSV `corrections.csv` of names to merge, rename or split, of plays to move and
of what to leave out of every statistic.

A file without rows, even an empty one under that name, takes back what was corrected before. People write it by hand, so a line
that is wrong spoils no other line.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from typing import IO, Any, Literal

import pyarrow as pa

from ingestion.csv_rows import Layout, header_of, layout_of
from lakehouse.declare import BrokenFileError, NotUtf8Error, Sample, column

COLUMNS = (
    column("action", "string", "merge, rename, split, move or exclude, as the file has it"),
    column("kind", "string", "artist, album, recording or play, as the file has it"),
    column("from_artist", "string", "artist that the line is about"),
    column("from_title", "string", "title that the line is about"),
    column("from_album", "string", "album that the line is about"),
    column("to_artist", "string", "right artist; several, separated by semicolons, for split"),
    column("to_title", "string", "right title"),
    column("to_album", "string", "right album"),
    column("played_at", "string", "start of the play, UTC; of the first one where `until` ends a period"),
    column("until", "string", "for move the right start, else the end of the period that the line is about; UTC"),
    column("note", "string", "whatever the listener wants to remember"),
    column("line", "bigint", "line of the file, the header being the first"),
    column("surplus", "string", "cells beyond those of the header; null where there are none"),
)
FIELDS = tuple(c.name for c in COLUMNS if c.name not in ("line", "surplus"))
REQUIRED = frozenset({"action", "kind"})
NAME = "corrections.csv"


class Corrections:
    """One row per line of the file, as text."""

    name = "corrections"
    target = "corrections"
    is_shared: Literal[True] = True

    def recognises(self, sample: Sample) -> bool:
        is_named = sample.name.replace("!", "/").rpartition("/")[2].lower() == NAME
        return is_named or set(header_of(sample)) >= REQUIRED

    def read(self, stream: IO[bytes], listener: str) -> Iterator[pa.RecordBatch]:
        try:
            text = stream.read().decode("utf-8").removeprefix("\ufeff")
        except UnicodeDecodeError as error:
            raise NotUtf8Error("not a readable CSV file: save it as UTF-8") from error
        if not _is_empty(text):
            yield pa.RecordBatch.from_pylist(list(_lines(text, layout_of(text))), SCHEMA)


SCHEMA = pa.schema([pa.field(c.name, pa.int64() if c.name == "line" else pa.string()) for c in COLUMNS])


def _lines(text: str, layout: Layout) -> Iterator[dict[str, Any]]:
    """The lines after the header, those without any cell left out. Raises BrokenFileError."""
    header = [re.sub(r"\s+", "_", name.strip().lower()) for name in layout.first_row]
    if missing := sorted(REQUIRED - set(header)):
        raise BrokenFileError(f"it has no column {' and no column '.join(missing)}: the header is {','.join(FIELDS)}")
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=layout.separator, strict=True)
    begin = 1
    try:
        for cells in reader:
            line, begin = begin, reader.line_num + 1
            if line <= layout.skipped_lines or not any(cells) or [*map(str.strip, cells)] == [*map(str.strip, layout.first_row)]:
                continue
            surplus = layout.separator.join(cells[len(header) :]).strip(layout.separator + " ") or None
            named = {name: cell or None for name, cell in zip(header, cells, strict=False) if name in FIELDS}
            yield {**dict.fromkeys(FIELDS), **named, "line": line, "surplus": surplus}
    except csv.Error as error:
        remedy = "close its quote, and write a quote inside a cell twice"
        raise BrokenFileError(f"a cell that begins in line {begin} or later does not end: {remedy}") from error


def _is_empty(text: str) -> bool:
    return not text.strip("\ufeff \t\r\n")


SOURCES = (Corrections(),)
