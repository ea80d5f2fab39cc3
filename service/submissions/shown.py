"""A listener's listens as ListenBrainz shows them: what is in silver, and what came since."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from typing import Any

from lakehouse.settings import Settings
from service.submissions import now_playing
from service.submissions.stored import Range, Stored
from service.submissions.unread import Listen, unread_listens

# Ids of a recording by its names, as players take one to compare with.
NAMES = uuid.uuid5(uuid.NAMESPACE_URL, "https://listenbrainz.org/messybrainz")


def listens_of(settings: Settings, user_id: str, bounds: Range) -> dict[str, Any]:
    """The payload of `GET /1/user/NAME/listens`: newest first. Raises OSError, and what reading silver raises."""
    stored = Stored(settings.dir, user_id)
    summary = stored.summary()
    nearest = _Nearest(bounds)
    nearest.add(stored.listens(bounds))
    oldest, latest = summary.oldest, summary.latest
    for listen in unread_listens(settings.inbox_folder, user_id, summary.journals):
        oldest, latest = min(oldest or listen.listened_at, listen.listened_at), max(latest, listen.listened_at)
        nearest.add([listen])
    shown = sorted(nearest.listens(), key=lambda listen: listen.listened_at, reverse=True)
    return {
        "count": len(shown),
        "latest_listen_ts": latest,
        "listens": [_shown(listen, user_id) for listen in shown],
        "oldest_listen_ts": oldest,
        "user_id": user_id,
    }


def listen_count(settings: Settings, user_id: str) -> int:
    """Plays in silver, and listens that came since, each once. Raises the same."""
    summary = Stored(settings.dir, user_id).summary()
    return summary.plays + len({hash(one.key) for one in unread_listens(settings.inbox_folder, user_id, summary.journals)})


def playing_now_of(user_id: str) -> dict[str, Any]:
    """The payload of `GET /1/user/NAME/playing-now`."""
    track = now_playing.current_track(user_id)
    listens = [] if track is None else [{"playing_now": True, "track_metadata": _complete(track)}]
    return {"count": len(listens), "listens": listens, "playing_now": True, "user_id": user_id}


class _Nearest:
    """The listens next to the bound that was asked for, each once, without holding all of an import in memory."""

    def __init__(self, bounds: Range) -> None:
        self._bounds = bounds
        self._found: dict[tuple[int, str, str], Listen] = {}

    def add(self, listens: Iterable[Listen]) -> None:
        for listen in listens:
            if self._bounds.holds(listen.listened_at):
                self._found.setdefault(listen.key, listen)
                if len(self._found) > 2 * self._bounds.count:
                    self._found = {one.key: one for one in self.listens()}

    def listens(self) -> list[Listen]:
        newest_first = not self._bounds.is_oldest_first
        return sorted(self._found.values(), key=lambda listen: listen.key, reverse=newest_first)[: self._bounds.count]


def _shown(listen: Listen, user_id: str) -> dict[str, Any]:
    track = _complete(listen.track_metadata)
    return {
        "inserted_at": listen.inserted_at,
        "listened_at": listen.listened_at,
        "recording_msid": str(uuid.uuid5(NAMES, f"{track['artist_name']}\n{track['track_name']}")),
        "track_metadata": track,
        "user_name": user_id,
    }


def _complete(track: Any) -> dict[str, Any]:
    """With the fields that players require; they take no null for a name."""
    names = {name: track.get(name) or "" for name in ("artist_name", "track_name")}
    return {**track, **names, "release_name": track.get("release_name"), "additional_info": track.get("additional_info", {})}
