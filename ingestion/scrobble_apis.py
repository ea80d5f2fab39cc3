"""Scrobbles as the APIs of Last.fm (user.getRecentTracks) and ListenBrainz (GET /1/user/NAME/listens) answer, in poll files.

Times are starts, to the second; some clients submit the end of a play as its start, which the kind of these rows allows for.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import IO, Any, Literal

import pyarrow as pa

from ingestion import history, lastfm_json, listenbrainz
from ingestion.envelopes import at_path, items_at, read_envelope, source_of
from ingestion.history_source import HistorySource
from ingestion.scrobbles import SCROBBLE
from ingestion.spotify_account_data import ACCOUNT_DATA
from lakehouse.declare import Sample
from music.envelopes import LASTFM_API, LISTENBRAINZ_API


class LastfmApi:
    """A page of scrobbles; what was playing just then is never new."""

    name = LASTFM_API
    target = "listening_history"
    kinds = (SCROBBLE,)
    rank_in_kind = 7
    has_scrobbler_ts = True
    is_received: Literal[True] = True

    def recognises(self, sample: Sample) -> bool:
        return source_of(sample) == LASTFM_API

    def read(self, stream: IO[bytes], listener: str) -> Iterator[pa.RecordBatch]:
        named, answer, new = read_envelope(stream)
        tracks = items_at(at_path(answer, "recenttracks", "track"), new) if new else []
        for some in history.chunks([lastfm_json.row_of(track) for track in tracks]):
            yield history.batch(some, lastfm_json.NAMES, {"source_kind": SCROBBLE.name, "user_id": named})


class ListenBrainzApi:
    """A page of listens; those that ListenBrainz copied from Spotify's account data are of that kind."""

    name = LISTENBRAINZ_API
    target = "listening_history"
    kinds = (SCROBBLE, ACCOUNT_DATA)
    rank_in_kind = 6
    has_scrobbler_ts = True
    is_received: Literal[True] = True

    def recognises(self, sample: Sample) -> bool:
        return source_of(sample) == LISTENBRAINZ_API

    def read(self, stream: IO[bytes], listener: str) -> Iterator[pa.RecordBatch]:
        named, answer, new = read_envelope(stream)
        listens = items_at(at_path(answer, "payload", "listens"), new) if new else []
        for some in history.chunks([_row(listen, named) for listen in listens]):
            yield history.batch(some, listenbrainz.NAMES, {})


def _row(listen: Any, listener: str) -> dict[str, Any]:
    """The listen's fields; the listener is the envelope's, not the name of an account."""
    return listenbrainz.row_of(listen, listener) | {"user_id": listener}


SOURCES: tuple[HistorySource, ...] = (LastfmApi(), ListenBrainzApi())
