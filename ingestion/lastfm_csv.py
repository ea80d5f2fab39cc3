"""Last.fm scrobbles as CSV, as the usual exporters write what user.getRecentTracks gives.

- artist, album, track, date: lastfm-to-csv (github.com/benfoxall/lastfm-to-csv) without a header, other tools with one, some
  of which call the date utc_time; UTC, `03 Jan 2020 14:05` or `03 Jan 2020, 14:05`.
- uts, utc_time, artist, artist_mbid, album, album_mbid, track, track_mbid: lastfm.ghan.nl/export; uts in Unix seconds.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from typing import IO

import pyarrow as pa
import pyarrow.compute as pc

from ingestion import history
from ingestion.csv_rows import header_of, read_csv, rows_of
from ingestion.history_source import HistorySource
from ingestion.scrobbles import SCROBBLE
from ingestion.text_lines import first_lines, most
from lakehouse.declare import SAMPLE_BYTES, Sample

NAMES = {"artist_name": "artist", "album_name": "album", "track_name": "track"}
TIMES = ("date", "utc_time")
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
        names = header_of(sample)
        rows = rows_of(sample, first_lines(sample))
        if "uts" in names:
            return False
        if is_header(names):
            at = names.index(next(name for name in TIMES if name in names))
            dates = [row[at] for row in rows[1:] if len(row) == len(names)]
            return len(rows) <= 1 or most([bool(DATE.fullmatch(date) or ISO_DATE.fullmatch(date)) for date in dates])
        are_scrobbles = [len(row) == len(WITHOUT_HEADER) and DATE.fullmatch(row[-1]) is not None for row in rows]
        return most(are_scrobbles)

    def read(self, stream: IO[bytes], listener: str) -> Iterator[pa.RecordBatch]:
        start = Sample("", stream.read(SAMPLE_BYTES).decode("utf-8", "replace"))
        stream.seek(0)
        has_header = is_header(header_of(start))
        for rows in read_csv(stream, [*TIMES, *NAMES.values()], all_columns=() if has_header else WITHOUT_HEADER):
            yield _scrobbles(rows, pc.coalesce(rows.column(0), rows.column(1)), listener)


class LastfmUtsCsv:
    """uts, utc_time, artist, album, track with MBIDs: scrobbles to the second."""

    name = "lastfm_uts_csv"
    target = "listening_history"
    kinds = (SCROBBLE,)
    rank_in_kind = 1
    has_scrobbler_ts = True

    def recognises(self, sample: Sample) -> bool:
        return {"uts", "artist", "track"} <= set(header_of(sample))

    def read(self, stream: IO[bytes], listener: str) -> Iterator[pa.RecordBatch]:
        for rows in read_csv(stream, ["uts", "utc_time", *NAMES.values()]):
            yield _scrobbles(rows, pc.coalesce(rows.column(0), rows.column(1)), listener)


def is_header(names: Collection[str]) -> bool:
    """Whether the names of columns are those of scrobbles with a date."""
    return {"artist", "track"} <= set(names) and not set(TIMES).isdisjoint(names)


def _scrobbles(rows: pa.RecordBatch, ts: pa.Array, listener: str) -> pa.RecordBatch:
    names = dict(zip(NAMES, rows.columns[-len(NAMES) :], strict=True))
    return history.from_columns({"ts": ts, **names}, {"source_kind": SCROBBLE.name, "user_id": listener})


SOURCES: tuple[HistorySource, ...] = (LastfmCsv(), LastfmUtsCsv())
