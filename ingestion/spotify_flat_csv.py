"""A flat CSV of one listener's Spotify history, as published data sets and converters of the extended export write it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import IO

import pyarrow as pa

from ingestion import history
from ingestion.csv_rows import header_of, read_csv
from ingestion.history_source import HistorySource
from ingestion.spotify_extended import EXPORT
from lakehouse.declare import Sample

NAMES = {
    "ts": "ts",
    "ms_played": "ms_played",
    "track_uri": "spotify_track_uri",
    **{name: name for name in ("track_name", "artist_name", "album_name")},
    **{name: name for name in ("platform", "reason_start", "reason_end", "shuffle", "skipped")},
}


class SpotifyFlatCsv:
    """The extended export with fewer columns; `ts` is the end of a play, UTC."""

    name = "spotify_flat_csv"
    target = "listening_history"
    kinds = (EXPORT,)
    rank_in_kind = 1
    has_scrobbler_ts = False

    def recognises(self, sample: Sample) -> bool:
        return {"spotify_track_uri", "ts", "ms_played"} <= set(header_of(sample))

    def read(self, stream: IO[bytes], listener: str) -> Iterator[pa.RecordBatch]:
        constants = {"source_kind": EXPORT.name, "user_id": listener}
        for rows in read_csv(stream, list(NAMES.values())):
            yield history.from_columns(dict(zip(NAMES, rows.columns, strict=True)), constants)


SOURCES: tuple[HistorySource, ...] = (SpotifyFlatCsv(),)
