"""Recently played tracks as Spotify's Web API answers (GET /me/player/recently-played), in poll files.

Every field but `played_at` and `track` is optional: applications in development mode get fewer of them.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import IO, Any, Literal

import pyarrow as pa

from ingestion import history
from ingestion.envelopes import at_path, items_at, read_envelope, source_of
from ingestion.history_source import HistorySource, SourceKind
from lakehouse.declare import Sample
from music.envelopes import SPOTIFY_API

# Spotify does not say whether `played_at` is the start or the end of a play, nor how much of it was heard, so it is compared
# with both times of richer records. It lists plays of 30 s or more, so a track cannot start twice within them.
API = SourceKind(
    name="api",
    ts="start",
    rank=10,
    window_seconds=30,
    compared_with=("start", "end"),
    repeat_seconds=30,
    sources_overlap=False,
)
NAMES = {
    name: name
    for name in (
        *("ts", "track_ms", "track_uri", "track_name", "artist_name", "album_name"),
        *("episode_name", "episode_show_name", "episode_uri"),
    )
}


class SpotifyApi:
    """Plays to the millisecond, without their length."""

    name = SPOTIFY_API
    target = "listening_history"
    kinds = (API,)
    rank_in_kind = 0
    has_scrobbler_ts = False
    is_received: Literal[True] = True

    def recognises(self, sample: Sample) -> bool:
        return source_of(sample) == SPOTIFY_API

    def read(self, stream: IO[bytes], listener: str) -> Iterator[pa.RecordBatch]:
        """One row per new item; one without a track has a time only, and so is quarantined."""
        named, answer, new = read_envelope(stream)
        if new:
            plays = items_at(at_path(answer, "items"), new)
            yield history.batch([_row(play) for play in plays], NAMES, {"source_kind": API.name, "user_id": named})


def _row(play: Any) -> dict[str, Any]:
    ts, track = at_path(play, "played_at"), at_path(play, "track")
    if at_path(track, "type") == "episode":
        show = at_path(track, "show", "name")
        return {
            "ts": ts,
            "episode_name": at_path(track, "name"),
            "episode_show_name": show,
            "episode_uri": _uri(track, "episode"),
        }
    artists = at_path(track, "artists")
    return {
        "ts": ts,
        "track_ms": at_path(track, "duration_ms"),
        "track_uri": _uri(track, "track"),
        "track_name": at_path(track, "name"),
        "artist_name": at_path(artists[0], "name") if isinstance(artists, list) and artists else None,
        "album_name": at_path(track, "album", "name"),
    }


def _uri(track: Any, kind: str) -> Any:
    """The URI, or one made of the id; None for what has neither, as tracks of the listener's own."""
    uri, number = at_path(track, "uri"), at_path(track, "id")
    return uri or (f"spotify:{kind}:{number}" if isinstance(number, str) and number else None)


SOURCES: tuple[HistorySource, ...] = (SpotifyApi(),)
