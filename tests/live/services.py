"""One HTTP server that speaks the three APIs, with faults: Spotify and its accounts, Last.fm, ListenBrainz and its labs."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

from tests.polling.server import API_KEY, TOKEN, Asked, MusicServer
from tests.polling.spotify_faults import Fault, reply
from tests.polling.spotify_server import Request, SpotifyServer

LASTFM, LISTENBRAINZ, LABS = "/2.0/", "/1/user/", "/similar-artists/json"
RECENT = "/v1/me/player/recently-played"


@dataclass(frozen=True)
class Offered:
    """A whole answer that was sent without a fault."""

    source: str
    account_id: str
    items: tuple[Any, ...]
    """as the service has them: plays of Spotify, rows of a page elsewhere"""


@dataclass
class Services(SpotifyServer):
    """Use as a context manager. `faults` and `chaos` are those of SpotifyServer, for all paths; `music` holds the scrobbles."""

    music: MusicServer = field(default_factory=MusicServer)
    tls: ssl.SSLContext | None = None
    on_offer: Callable[[Offered], None] | None = None
    """called with each whole answer about what was played"""
    similar: Mapping[str, list[dict[str, Any]]] = field(default_factory=dict)
    """rows of similar artists, by the artist's name at Last.fm or MBID at ListenBrainz"""
    tags: Mapping[str, list[dict[str, Any]]] = field(default_factory=dict)
    """rows of tags, by the artist's name"""

    def __post_init__(self) -> None:
        super().__init__(self.tls)

    def __enter__(self) -> Services:
        super().__enter__()
        return self

    def settings(self) -> dict[str, str]:
        """The environment that leads every client here, with the keys that the services take."""
        return {
            "LAKEHOUSE_SPOTIFY_API_URL": f"{self.url}/v1",
            "LAKEHOUSE_SPOTIFY_ACCOUNTS_URL": self.url,
            "LAKEHOUSE_LASTFM_API_URL": self.url,
            "LAKEHOUSE_LISTENBRAINZ_API_URL": self.url,
            "LAKEHOUSE_LISTENBRAINZ_LABS_URL": self.url,
            "LASTFM_API_KEY": API_KEY,
            "LISTENBRAINZ_TOKEN": TOKEN,
        }

    def answer(self, request: Request) -> Fault:
        path = unquote(request.path)
        if path == LABS:
            artists = request.query.get("artist_mbids", "").split(",")
            return reply(200, [row for artist in artists for row in self.similar.get(artist, [])])
        method = request.query.get("method", "")
        if path == LASTFM and method.startswith("artist."):
            return self._about_artist(method, request.query)
        if path == LASTFM or path.startswith(LISTENBRAINZ):
            status, content, headers = self.music.answer(Asked(path, request.query, request.headers))
            if status == 200:
                self._offer(path, request.query, content)
            return reply(status, content, headers=headers)
        if path == RECENT:
            owner = self._access.get(request.headers.get("Authorization", "").removeprefix("Bearer "))
            if owner is not None and self.on_offer is not None:
                self.on_offer(Offered("spotify_api", owner, tuple(self.accounts[owner].plays[:50])))
        return super().answer(request)

    def _about_artist(self, method: str, query: Mapping[str, str]) -> Fault:
        if query.get("api_key") != API_KEY:
            return reply(403, {"error": 10, "message": "Invalid API key"})
        name = query.get("artist", "")
        if method == "artist.getsimilar":
            return reply(200, {"similarartists": {"artist": self.similar.get(name, []), "@attr": {"artist": name}}})
        return reply(200, {"toptags": {"tag": self.tags.get(name, []), "@attr": {"artist": name}}})

    def _offer(self, path: str, query: Mapping[str, str], content: Any) -> None:
        if self.on_offer is None:
            return
        if path == LASTFM:
            rows = content["recenttracks"]["track"]
            listed = rows if isinstance(rows, list) else [rows]
            dated = tuple(row for row in listed if "date" in row)
            self.on_offer(Offered("lastfm_api", query["user"].lower(), dated))
        else:
            self.on_offer(Offered("listenbrainz_api", path.split("/")[3].lower(), tuple(content["payload"]["listens"])))
