"""Last.fm scrobbles as user.getRecentTracks answers, page by page: lastfm.ghan.nl/export as JSON, and saved answers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import IO, Any

import pyarrow as pa

from ingestion import history
from ingestion.envelopes import is_envelope
from ingestion.history_source import HistorySource
from ingestion.json_list import object_keys_in, read_json
from ingestion.scrobbles import SCROBBLE
from lakehouse.declare import Sample

NAMES = {name: name for name in ("ts", "artist_name", "album_name", "track_name")}


class LastfmJson:
    """Scrobbles to the second; a track that was playing just then has no date."""

    name = "lastfm_json"
    target = "listening_history"
    kinds = (SCROBBLE,)
    rank_in_kind = 5
    has_scrobbler_ts = True

    def recognises(self, sample: Sample) -> bool:
        return {"artist", "#text", "name", "date", "uts"} <= object_keys_in(sample) and not is_envelope(sample)

    def read(self, stream: IO[bytes], listener: str) -> Iterator[pa.RecordBatch]:
        for some in history.chunks(list(_tracks(read_json(stream)))):
            constants = {"source_kind": SCROBBLE.name, "user_id": listener}
            yield history.batch([row_of(track) for track in some], NAMES, constants)


def _tracks(value: Any) -> Iterator[Any]:
    """The tracks of a page, or of a list of pages or of tracks."""
    if isinstance(value, list):
        for one in value:
            yield from _tracks(one)
    elif isinstance(value, dict) and "recenttracks" in value:
        yield from _tracks(value["recenttracks"])
    elif isinstance(value, dict) and isinstance(value.get("track"), (list, dict)):
        yield from _tracks(value["track"])
    else:
        yield value


def row_of(track: Any) -> dict[str, Any]:
    """A track's fields by our names."""
    track = track if isinstance(track, dict) else {}
    date = track.get("date")
    return {
        "ts": date.get("uts") if isinstance(date, dict) else None,
        "artist_name": _name(track.get("artist")),
        "album_name": _name(track.get("album")),
        "track_name": track.get("name"),
    }


def _name(value: Any) -> Any:
    """`#text`, or `name` in the longer answers."""
    return (value.get("#text") or value.get("name")) if isinstance(value, dict) else None


SOURCES: tuple[HistorySource, ...] = (LastfmJson(),)
