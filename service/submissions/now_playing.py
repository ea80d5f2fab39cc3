"""What each listener hears right now, as players tell: in memory only, until the track is over."""

from __future__ import annotations

import time
from collections.abc import Mapping
from threading import Lock
from typing import Any

# Where a player does not tell the length of a track; and no player is believed for longer than MOST_SECONDS.
USUAL_SECONDS, MOST_SECONDS = 600.0, 3 * 3600.0
# A player that starts a track a little late, or pauses, tells of the next one before the old one is forgotten.
GRACE_SECONDS = 15.0

_lock = Lock()
_playing: dict[str, tuple[float, Mapping[str, Any]]] = {}


def put(user_id: str, track_metadata: Mapping[str, Any]) -> None:
    """Note what a listener hears, from a listen as the door reduces it; it replaces what the listener heard before."""
    info = track_metadata.get("additional_info", {})
    length, seconds = info.get("duration_ms"), info.get("duration")
    told = length / 1000 if isinstance(length, (int, float)) else seconds
    lasts = min(told, MOST_SECONDS) + GRACE_SECONDS if isinstance(told, (int, float)) and told > 0 else USUAL_SECONDS
    with _lock:
        _playing[user_id] = time.monotonic() + lasts, track_metadata


def current(user_id: str) -> dict[str, Any] | None:
    """What the listener hears: `track_name`, `artist_name`, `album_name` and `client`, each a text or None; None for silence.

    The texts are those of a player: hostile until they are escaped.
    """
    track = current_track(user_id)
    if track is None:
        return None
    info = track.get("additional_info", {})
    return {
        **{name: track.get(name) for name in ("track_name", "artist_name")},
        "album_name": track.get("release_name"),
        "client": info.get("media_player") or info.get("submission_client"),
    }


def current_track(user_id: str) -> Mapping[str, Any] | None:
    """The same as the `track_metadata` that the player sent."""
    with _lock:
        ends_at, track = _playing.get(user_id, (0.0, {}))
        if time.monotonic() < ends_at:
            return track
        _playing.pop(user_id, None)
        return None


def forget(user_id: str) -> None:
    """What the listener hears is no longer known."""
    with _lock:
        _playing.pop(user_id, None)
