"""What a listener knows better than the sources: a CSV `corrections.csv` of names to merge, rename or split, of plays to move and
of what to leave out of every statistic.

A file without rows, even an empty one under that name, takes back what was corrected before.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import IO, Literal

import pyarrow as pa

from ingestion.csv_rows import header_of, read_csv
from lakehouse.declare import SAMPLE_BYTES, Sample, column

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
)
FIELDS = tuple(c.name for c in COLUMNS)
REQUIRED = frozenset({"action", "kind"})
NAME = "corrections.csv"


class Corrections:
    """One row per line of the file, as text."""

    name = "corrections"
    target = "corrections"
    is_shared: Literal[True] = True

    def recognises(self, sample: Sample) -> bool:
        if _is_empty(sample.text):
            return sample.name.replace("!", "/").rpartition("/")[2].lower() == NAME
        return set(header_of(sample)) >= REQUIRED

    def read(self, stream: IO[bytes], listener: str) -> Iterator[pa.RecordBatch]:
        text = stream.read(SAMPLE_BYTES).decode("utf-8", "replace")
        stream.seek(0)
        if not _is_empty(text):
            yield from read_csv(stream, list(FIELDS))


def _is_empty(text: str) -> bool:
    return not text.strip("\ufeff \t\r\n")


SOURCES = (Corrections(),)
