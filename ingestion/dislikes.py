"""What a listener does not want to hear: a CSV `dislikes.csv` with the column `track_id`, or `artist` and `track`, or all three.

Such a list could as well be of favourites: nothing in it says which. So here, and only here, the name of the file counts
too; a list of tracks under another name is reported as unknown.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import IO, Literal

import pyarrow as pa

from ingestion.csv_rows import header_of, read_csv
from lakehouse.declare import Sample, column

COLUMNS = (
    column("track_id", "string", "Spotify id, spotify:track: URI or link of a track, as the file has it"),
    column("artist", "string", "artist's name, as the file has it"),
    column("track", "string", "title, as the file has it; empty for all of the artist's tracks"),
)
FIELDS = tuple(c.name for c in COLUMNS)
NAME = "dislike"
# Columns that may stand beside those; a file with any others is something else, whatever it is called.
OTHERS = ("album", "note", "reason")


class Dislikes:
    """One row per track or artist that the file's listener dislikes, as text."""

    name = "dislikes"
    target = "dislike_rows"
    is_shared: Literal[True] = True

    def recognises(self, sample: Sample) -> bool:
        names = set(header_of(sample))
        return is_named(sample) and bool(names & {"track_id", "artist"}) and names <= {*FIELDS, *OTHERS}

    def read(self, stream: IO[bytes], listener: str) -> Iterator[pa.RecordBatch]:
        yield from read_csv(stream, list(FIELDS))


def is_named(sample: Sample) -> bool:
    """Whether the file's name says that it is a list of dislikes."""
    return NAME in sample.name.replace("!", "/").rpartition("/")[2].lower()


SOURCES = (Dislikes(),)
