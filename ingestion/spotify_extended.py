"""Spotify's extended streaming history: Streaming_History_Audio_*.json and the older endsong_*.json.

Fields that name a person or a place on the network (ip_addr, ip_addr_decrypted, user_agent_decrypted, username) are
never read; nor is any field not listed here.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import IO

import pyarrow as pa

from ingestion import history
from ingestion.history_source import HistorySource, SourceKind
from ingestion.json_list import is_spoilt, keys_in, read_json_list
from lakehouse.declare import Sample

NAMES = {
    "ts": "ts",
    "ms_played": "ms_played",
    "track_uri": "spotify_track_uri",
    "track_name": "master_metadata_track_name",
    "artist_name": "master_metadata_album_artist_name",
    "album_name": "master_metadata_album_album_name",
    "episode_name": "episode_name",
    "episode_show_name": "episode_show_name",
    "episode_uri": "spotify_episode_uri",
    **{name: name for name in ("audiobook_title", "audiobook_uri", "audiobook_chapter_uri", "audiobook_chapter_title")},
    **{name: name for name in ("platform", "conn_country", "reason_start", "reason_end", "shuffle", "skipped", "offline")},
    **{name: name for name in ("offline_timestamp", "incognito_mode")},
}
DISTINCTIVE = {"spotify_track_uri", "spotify_episode_uri", "master_metadata_track_name", "master_metadata_album_artist_name"}

EXPORT = SourceKind(
    name="export",
    ts="end",
    rank=0,
    window_seconds=30,
    compared_with=("start", "end"),
    repeat_seconds=0,
    sources_overlap=False,
)
USUAL_NAMES = ("Streaming_History_Audio_*.json", "Streaming_History_Video_*.json", "endsong_*.json")


class SpotifyExtended:
    """Complete history; `ts` is the end of a play, to the second."""

    name = "spotify_extended"
    target = "listening_history"
    kinds = (EXPORT,)
    rank_in_kind = 0
    has_scrobbler_ts = False

    def recognises(self, sample: Sample) -> bool:
        keys = keys_in(sample)
        return bool(keys & DISTINCTIVE) and len(keys & set(NAMES.values())) >= 3

    def is_spoilt(self, sample: Sample) -> bool:
        return is_spoilt(sample, USUAL_NAMES)

    def read(self, stream: IO[bytes], listener: str) -> Iterator[pa.RecordBatch]:
        for records in history.chunks(read_json_list(stream)):
            yield history.batch(records, NAMES, {"source_kind": EXPORT.name, "user_id": listener})


SOURCES: tuple[HistorySource, ...] = (SpotifyExtended(),)
