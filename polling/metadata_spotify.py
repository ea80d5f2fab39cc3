"""Metadata of what was heard from Spotify: each track, artist and album once, and audio features while they are served."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable
from typing import Any, Protocol

from music.envelopes import SPOTIFY_API
from music.metadata import ALBUM, ARTIST, AUDIO_FEATURES, TRACK
from polling.metadata_batch import batch
from polling.metadata_heard import Heard
from polling.metadata_known import Known
from polling.metadata_store import MetadataStore, Told


class SpotifyMetadata(Protocol):
    """What is used of a client of Spotify; None stands for an id that it does not know. All of it raises PollError."""

    @property
    def answered_at(self) -> dt.datetime: ...
    @property
    def serves_audio_features(self) -> bool: ...
    def track(self, track_id: str) -> dict[str, Any] | None: ...
    def album(self, album_id: str) -> dict[str, Any] | None: ...
    def artist(self, artist_id: str) -> dict[str, Any] | None: ...
    def audio_features(self, track_id: str) -> dict[str, Any] | None: ...


def fetch_spotify(client: SpotifyMetadata, store: MetadataStore, known: Known, heard: Heard, most: int) -> None:
    """Ask at most `most` times, and write the answers to the store. Raises PollError; answers until then are written.

    Tracks come first: their answers tell the ISRC and the release date. Each kind is asked for most heard first.
    """
    left = most
    left -= _fetch(store, known, TRACK, heard.tracks(known.of(TRACK), left), client.track, client)
    left -= _fetch_features(store, known, heard, client, left)
    left -= _fetch(store, known, ARTIST, heard.artists(known.of(ARTIST), left), client.artist, client)
    _fetch(store, known, ALBUM, heard.albums(known.of(ALBUM), left), client.album, client)


def _fetch(
    store: MetadataStore,
    known: Known,
    kind: str,
    ids: Iterable[str],
    ask: Callable[[str], dict[str, Any] | None],
    client: SpotifyMetadata,
) -> int:
    """Ask for each id; returns how many that were."""
    asked: list[str] = []
    with batch(store, SPOTIFY_API, kind) as answers:
        for one in ids:
            answer = ask(one)
            asked.append(one)
            answers.add(Told({"id": one}, {"endpoint": f"{kind}s/{one}"}, client.answered_at, answer))
    known.add_ids(kind, asked)
    return len(asked)


def _fetch_features(store: MetadataStore, known: Known, heard: Heard, client: SpotifyMetadata, most: int) -> int:
    """Ask for audio features until they are refused; returns how many requests that were."""
    if not most or not client.serves_audio_features:
        return 0
    requests = 0
    with batch(store, SPOTIFY_API, AUDIO_FEATURES) as answers:
        for track_id in heard.tracks(known.of(AUDIO_FEATURES), most):
            answer = client.audio_features(track_id)
            requests += 1
            if not client.serves_audio_features:
                # A refusal says nothing of the track.
                break
            answers.add(Told({"id": track_id}, {"endpoint": f"audio-features/{track_id}"}, client.answered_at, answer))
    return requests
