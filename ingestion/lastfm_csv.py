"""Last.fm scrobbles as CSV, as the usual exporters write what user.getRecentTracks gives.

- artist, album, track, date: lastfm-to-csv (github.com/benfoxall/lastfm-to-csv) without a header, other tools with one; UTC,
  `03 Jan 2020 14:05` or `03 Jan 2020, 14:05`.
- uts, utc_time, artist, artist_mbid, album, album_mbid, track, track_mbid: lastfm.ghan.nl/export; uts in Unix seconds.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from typing import IO

import pyarrow as pa
import pyarrow.compute as pc

from ingestion import history
from ingestion.csv_rows import header_of, read_csv
from ingestion.history_source import HistorySource
from ingestion.scrobbles import SCROBBLE
from ingestion.text_lines import first_lines, most
from lakehouse.declare import SAMPLE_BYTES, Sample

NAMES = {"artist_name": "artist", "album_name": "album", "track_name": "track"}
WITHOUT_HEADER = ("artist", "album", "track", "date")
DATE = re.compile(r"\d\d [A-Z][a-z]{2} \d{4},? \d\d:\d\d(:\d\d)?")
ISO_DATE = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d.*")


class LastfmCsv:
    """artist, album, track, date: scrobbles, most often to the minute; a row without a date was playing just then."""

    name = "lastfm_csv"
    target = "listening_history"
    kinds = (SCROBBLE,)
    # The only one without seconds.
    rank_in_kind = 8
    has_scrobbler_ts = True

    def recognises(self, sample: Sample) -> bool:
        names = list(_header(sample))
        rows = _rows(first_lines(sample))
        if "uts" in names:
            return False
        if {"artist", "track", "date"} <= set(names):
            dates = [row[names.index("date")] for row in rows[1:] if len(row) == len(names)]
            return len(rows) <= 1 or most([bool(DATE.fullmatch(date) or ISO_DATE.fullmatch(date)) for date in dates])
        are_scrobbles = [len(row) == len(WITHOUT_HEADER) and DATE.fullmatch(row[-1]) is not None for row in rows]
        return most(are_scrobbles)

    def read(self, stream: IO[bytes], listener: str) -> Iterator[pa.RecordBatch]:
        header = _header_of_file(stream)
        has_header = {"artist", "track", "date"} <= set(header)
        for rows in _read(stream, header if has_header else None, "date"):
            yield _scrobbles(rows, rows.column(0), listener)


class LastfmUtsCsv:
    """uts, utc_time, artist, album, track with MBIDs: scrobbles to the second."""

    name = "lastfm_uts_csv"
    target = "listening_history"
    kinds = (SCROBBLE,)
    rank_in_kind = 1
    has_scrobbler_ts = True

    def recognises(self, sample: Sample) -> bool:
        return {"uts", "artist", "track"} <= set(_header(sample))

    def read(self, stream: IO[bytes], listener: str) -> Iterator[pa.RecordBatch]:
        for rows in _read(stream, _header_of_file(stream), "uts", "utc_time"):
            yield _scrobbles(rows, pc.coalesce(rows.column(0), rows.column(1)), listener)


def _header(sample: Sample) -> dict[str, str]:
    """The fields of the first line in lower case, and as they are written."""
    first_line = sample.text.partition("\n")[0]
    return {name.lower(): name for name in header_of(Sample(sample.name, first_line))}


def _header_of_file(stream: IO[bytes]) -> dict[str, str]:
    start = stream.read(SAMPLE_BYTES)
    stream.seek(0)
    return _header(Sample("", start.decode("utf-8", "replace")))


def _rows(lines: list[str]) -> list[list[str]]:
    try:
        return list(csv.reader(lines))
    except csv.Error:
        return []


def _read(stream: IO[bytes], header: dict[str, str] | None, *times: str) -> Iterator[pa.RecordBatch]:
    """The columns of `times`, then those of NAMES; `header` None for a file without one."""
    wanted = [*times, *NAMES.values()]
    if header is None:
        return read_csv(stream, wanted, all_columns=WITHOUT_HEADER)
    return read_csv(stream, [header.get(name, name) for name in wanted])


def _scrobbles(rows: pa.RecordBatch, ts: pa.Array, listener: str) -> pa.RecordBatch:
    names = dict(zip(NAMES, rows.columns[-len(NAMES) :], strict=True))
    return history.from_columns({"ts": ts, **names}, {"source_kind": SCROBBLE.name, "user_id": listener})


SOURCES: tuple[HistorySource, ...] = (LastfmCsv(), LastfmUtsCsv())
