"""A flat CSV of one listener's Spotify history, as published data sets and converters of the extended export write it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import IO

import pyarrow as pa
import pyarrow.compute as pc

from ingestion import history, spotify_extended
from ingestion.csv_rows import header_of, read_csv
from ingestion.history_source import HistorySource
from ingestion.spotify_extended import EXPORT
from lakehouse.declare import Sample

SHORT_NAMES = ("track_name", "artist_name", "album_name")
# Converters keep Spotify's own names of fields, data sets have shorter ones: by our name, the columns that may hold it.
COLUMNS = {ours: (theirs, ours) if ours in SHORT_NAMES else (theirs,) for ours, theirs in spotify_extended.NAMES.items()}
IDENTITIES = {"spotify_track_uri", "master_metadata_track_name"}


class SpotifyFlatCsv:
    """The extended export as a table; `ts` is the end of a play, UTC."""

    name = "spotify_flat_csv"
    target = "listening_history"
    kinds = (EXPORT,)
    rank_in_kind = 1
    has_scrobbler_ts = False

    def recognises(self, sample: Sample) -> bool:
        names = set(header_of(sample))
        return {"ts", "ms_played"} <= names and not names.isdisjoint(IDENTITIES)

    def read(self, stream: IO[bytes], listener: str) -> Iterator[pa.RecordBatch]:
        constants = {"source_kind": EXPORT.name, "user_id": listener}
        for rows in read_csv(stream, [name for names in COLUMNS.values() for name in names]):
            columns = {ours: pc.coalesce(*[rows.column(name) for name in names]) for ours, names in COLUMNS.items()}
            yield history.from_columns(columns, constants)


SOURCES: tuple[HistorySource, ...] = (SpotifyFlatCsv(),)
