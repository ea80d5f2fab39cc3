"""Last.fm scrobbles as lastfmstats.com exports them: Artist, Album, AlbumId, Track and Date, ms since 1970, as CSV or JSON.

The CSV's header has the user's name behind `Date#`, the JSON in `username`; neither is kept.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import IO, Any

import pyarrow as pa
import pyarrow.compute as pc

from ingestion import history
from ingestion.csv_rows import header_of, read_csv
from ingestion.history_source import HistorySource
from ingestion.json_list import object_keys_in, read_json
from ingestion.scrobbles import SCROBBLE
from lakehouse.declare import SAMPLE_BYTES, BrokenFileError, Sample

NAMES = {"artist_name": "artist", "album_name": "album", "track_name": "track"}
DATE_OF = "date#"
MILLISECONDS = r"^(\d{1,10})(\d{3})$"


class LastfmStatsCsv:
    """Scrobbles to the second."""

    name = "lastfm_stats_csv"
    target = "listening_history"
    kinds = (SCROBBLE,)
    rank_in_kind = 3
    has_scrobbler_ts = True

    def recognises(self, sample: Sample) -> bool:
        names = header_of(sample)
        return set(NAMES.values()) <= set(names) and _date_column(names) is not None

    def read(self, stream: IO[bytes], listener: str) -> Iterator[pa.RecordBatch]:
        start = Sample("", stream.read(SAMPLE_BYTES).decode("utf-8", "replace"))
        stream.seek(0)
        for rows in read_csv(stream, [str(_date_column(header_of(start))), *NAMES.values()]):
            yield _scrobbles(rows.columns, listener)


class LastfmStatsJson:
    """The same scrobbles as one JSON object."""

    name = "lastfm_stats_json"
    target = "listening_history"
    kinds = (SCROBBLE,)
    rank_in_kind = 4
    has_scrobbler_ts = True

    def recognises(self, sample: Sample) -> bool:
        is_object = sample.text.removeprefix("\ufeff").lstrip().startswith("{")
        return is_object and {"username", "scrobbles", "date", *NAMES.values()} <= object_keys_in(sample)

    def read(self, stream: IO[bytes], listener: str) -> Iterator[pa.RecordBatch]:
        document = read_json(stream)
        records = document.get("scrobbles") if isinstance(document, dict) else None
        if not isinstance(records, list):
            raise BrokenFileError("not a list of scrobbles: export it again")
        for some in history.chunks(records):
            fields = [[_text(record, name) for record in some] for name in ("date", *NAMES.values())]
            yield _scrobbles([pa.array(values, pa.string()) for values in fields], listener)


def _date_column(names: Sequence[str]) -> str | None:
    return next((name for name in names if name.startswith(DATE_OF)), None)


def _text(record: Any, name: str) -> str | None:
    return history.encodable(history.as_text(record.get(name))) if isinstance(record, dict) else None


def _scrobbles(columns: Sequence[pa.Array], listener: str) -> pa.RecordBatch:
    seconds = pc.replace_substring_regex(columns[0], MILLISECONDS, r"\1.\2")
    names = dict(zip(NAMES, columns[1:], strict=True))
    return history.from_columns({"ts": seconds, **names}, {"source_kind": SCROBBLE.name, "user_id": listener})


SOURCES: tuple[HistorySource, ...] = (LastfmStatsCsv(), LastfmStatsJson())
