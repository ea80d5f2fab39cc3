"""Poll files of the three sources, as their clients' answers make them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any

from polling.answers import Answer, Item
from polling.envelope import Envelope

UTC = dt.timezone.utc
DATE = dt.datetime(2026, 11, 29, 22, tzinfo=UTC)


def envelope(source: str, body: Any, new: Sequence[int], listener: str = "anna", date: dt.datetime = DATE) -> Envelope:
    """An envelope in which the items at these positions are new."""
    items = [Item(position, f"key {position}", date) for position in new]
    answer = Answer(source, "account", {"path": "x"}, date, body, tuple(items))
    return Envelope.of(answer, listener, items, connects=True)


def spotify_play(played_at: str, track: int = 1, **changes: Any) -> dict[str, Any]:
    """An item of recently played; `changes` are of its track."""
    usual = {
        "album": {"name": f"Album {track % 2}", "release_date": "2024-03-01"},
        "artists": [{"id": "0aB1", "name": f"Artist {track % 3}"}, {"id": "0aB2", "name": "Guest"}],
        "duration_ms": 180_000,
        "external_ids": {"isrc": "ZZX012400001"},
        "id": f"{track:022d}",
        "is_local": False,
        "name": f"Track {track}",
        "type": "track",
        "uri": f"spotify:track:{track:022d}",
    }
    return {"track": usual | changes, "played_at": played_at, "context": None}


def spotify_body(*plays: Any) -> dict[str, Any]:
    return {"items": list(plays), "next": None, "cursors": None, "limit": 50, "href": "h"}


def lastfm_track(uts: int | None, track: int = 1) -> dict[str, Any]:
    """A track of user.getrecenttracks; without a time, the one playing now."""
    names = {"artist": {"mbid": "", "#text": f"Artist {track % 3}"}, "album": {"mbid": "", "#text": f"Album {track % 2}"}}
    times = {"@attr": {"nowplaying": "true"}} if uts is None else {"date": {"uts": str(uts), "#text": "29 Nov 2026, 21:04"}}
    return {**names, "name": f"Track {track}", "mbid": "", "url": "u", "image": [], "streamable": "0", **times}


def lastfm_body(tracks: Any) -> dict[str, Any]:
    return {"recenttracks": {"@attr": {"user": "distinctive_name", "page": "1", "totalPages": "1"}, "track": tracks}}


def listenbrainz_listen(listened_at: int, track: int = 1, **info: Any) -> dict[str, Any]:
    """A listen of GET /1/user/NAME/listens."""
    metadata = {
        "track_name": f"Track {track}",
        "artist_name": f"Artist {track % 3}",
        "release_name": f"Album {track % 2}",
        "additional_info": {"submission_client": "client", "duration_ms": 180_000, **info},
    }
    names = {"user_name": "distinctive_name", "recording_msid": f"msid {track}"}
    return {**names, "inserted_at": 1795986300.5, "listened_at": listened_at, "track_metadata": metadata}


def listenbrainz_body(*listens: Any) -> dict[str, Any]:
    return {"payload": {"count": len(listens), "listens": list(listens), "user_id": "distinctive_name"}}
