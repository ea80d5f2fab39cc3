"""Spotify's account data: StreamingHistory*.json, StreamingHistory_music_*.json and StreamingHistory_podcast_*.json, and
the same as CSV, as converters write it.

One year back, no track URI, the end of a play to the minute (UTC).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import IO

import pyarrow as pa

from ingestion import history
from ingestion.csv_rows import header_of, normal, read_csv
from ingestion.history_source import HistorySource, SourceKind
from ingestion.json_list import is_spoilt, keys_in, read_json_list
from lakehouse.declare import Sample

NAMES = {
    "ts": "endTime",
    "ms_played": "msPlayed",
    "track_name": "trackName",
    "artist_name": "artistName",
    "episode_name": "episodeName",
    "episode_show_name": "podcastName",
}

# The end of a play is cut to the minute.
ACCOUNT_DATA = SourceKind(
    name="account_data",
    ts="end",
    rank=20,
    window_seconds=60,
    compared_with=("end",),
    repeat_seconds=0,
    sources_overlap=False,
)
USUAL_NAMES = ("StreamingHistory*.json",)


class SpotifyAccountData:
    """The short history that Spotify delivers within days."""

    name = "spotify_account_data"
    target = "listening_history"
    kinds = (ACCOUNT_DATA,)
    rank_in_kind = 1
    has_scrobbler_ts = False

    def recognises(self, sample: Sample) -> bool:
        return len(keys_in(sample) & set(NAMES.values())) >= 3

    def is_spoilt(self, sample: Sample) -> bool:
        return is_spoilt(sample, USUAL_NAMES)

    def read(self, stream: IO[bytes], listener: str) -> Iterator[pa.RecordBatch]:
        for records in history.chunks(read_json_list(stream)):
            yield history.batch(records, NAMES, {"source_kind": ACCOUNT_DATA.name, "user_id": listener})


class SpotifyAccountCsv:
    """The same rows as a table, with Spotify's own names of fields."""

    name = "spotify_account_csv"
    target = "listening_history"
    kinds = (ACCOUNT_DATA,)
    rank_in_kind = 2
    has_scrobbler_ts = False

    def recognises(self, sample: Sample) -> bool:
        names = set(header_of(sample))
        titles = {normal(NAMES[name]) for name in ("track_name", "episode_name")}
        return {normal(NAMES["ts"]), normal(NAMES["ms_played"])} <= names and not names.isdisjoint(titles)

    def read(self, stream: IO[bytes], listener: str) -> Iterator[pa.RecordBatch]:
        constants = {"source_kind": ACCOUNT_DATA.name, "user_id": listener}
        for rows in read_csv(stream, list(NAMES.values())):
            yield history.from_columns(dict(zip(NAMES, rows.columns, strict=True)), constants)


SOURCES: tuple[HistorySource, ...] = (SpotifyAccountData(), SpotifyAccountCsv())
