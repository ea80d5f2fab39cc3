"""An HTTP server that speaks the APIs of Last.fm and ListenBrainz, and has the faults that a test plans for it."""

from __future__ import annotations

import datetime as dt
import json
import ssl
import sys
import threading
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit
from zlib import crc32

# What the server's Date header says: not the time of the machine that runs the tests.
SERVER_NOW = dt.datetime(2026, 11, 30, 12, 0, 0, tzinfo=dt.timezone.utc)
API_KEY = "planted-key/0123456789+abcdef"
TOKEN = "planted-token-fedcba9876543210"  # noqa: S105


@dataclass(frozen=True, order=True)
class Listen:
    """A listen as both services hold it."""

    second: int
    artist: str
    title: str
    album: str = ""
    track_ms: int = 0
    """length of the track, which only ListenBrainz tells; 0: it does not"""


@dataclass(frozen=True)
class Asked:
    """A request that came in."""

    path: str
    params: Mapping[str, str]
    headers: Mapping[str, str]


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    # Head and body are two writes; the second would wait for the client's late acknowledgement of the first.
    disable_nagle_algorithm = True
    server: Service

    def do_GET(self) -> None:
        """Answer, or have the next fault."""
        parts = urlsplit(self.path)
        asked = Asked(unquote(parts.path), dict(parse_qsl(parts.query)), dict(self.headers))
        status, content, headers = self.server.music.answer(asked)
        body, fault = json.dumps(content).encode(), self.server.music.next_fault()
        if fault is not None:
            fault(self, body)
        else:
            self.whole(body, status, headers)

    def whole(self, body: bytes, status: int = 200, headers: Mapping[str, str] | None = None) -> None:
        """An answer as it should be."""
        self.head({"Content-Type": "application/json", "Content-Length": str(len(body)), **(headers or {})}, status)
        self.wfile.write(body)

    def head(self, headers: Mapping[str, str], status: int = 200) -> None:
        """Status, Date and headers."""
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()

    def pause(self, seconds: float) -> bool:
        """Wait; False when the server is being stopped."""
        return not self.server.stopping.wait(seconds)

    def date_time_string(self, timestamp: float | None = None) -> str:
        return format_datetime(self.server.music.now, usegmt=True)

    def log_message(self, format: str, *args: Any) -> None:
        pass


Fault = Callable[[Handler, bytes], None]


class Service(ThreadingHTTPServer):
    """The listening socket and its threads."""

    daemon_threads = True

    def __init__(self, music: MusicServer) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.music, self.stopping, self.errors = music, threading.Event(), list[BaseException]()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients may hang up; whatever else goes wrong here is an error of the tests."""
        error = sys.exc_info()[1]
        if error is not None and not isinstance(error, OSError):
            self.errors.append(error)


@dataclass
class MusicServer:
    """Accounts with their listens, and what is planned. Use as a context manager."""

    lastfm: dict[str, list[Listen]] = field(default_factory=dict)
    listenbrainz: dict[str, list[Listen]] = field(default_factory=dict)
    playing: Listen | None = None
    """stands on top of every page of Last.fm"""
    hidden: set[str] = field(default_factory=set)
    """accounts that hide their recent listening"""
    faults: Iterable[Fault | None] = ()
    """of the next requests, in their order"""
    before_answer: Callable[[MusicServer, int], None] | None = None
    """called with the number of requests so far: what happens while somebody pages"""
    to_is_inclusive: bool = False
    shuffles_seconds: bool = False
    """listens of one second come in another order each time"""
    requests_left: int | None = None
    """what ListenBrainz says in X-RateLimit-Remaining"""
    artists: dict[str, dict[str, Any]] = field(default_factory=dict)
    """what Last.fm answers about an artist, by name and method: artist.gettoptags and artist.getsimilar"""
    mbids: dict[str, list[str]] = field(default_factory=dict)
    """what ListenBrainz finds for an artist's name"""
    similar: dict[str, list[Any]] = field(default_factory=dict)
    """what its labs answer about a MusicBrainz id"""
    mapping: dict[str, Any] | None = None
    """what ListenBrainz adds to each listen as mbid_mapping"""
    now: dt.datetime = SERVER_NOW
    tls: ssl.SSLContext | None = None
    asked: list[Asked] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._planned: Iterator[Fault | None] = iter(self.faults)
        self._lock = threading.Lock()

    def __enter__(self) -> MusicServer:
        self._service = Service(self)
        if self.tls is not None:
            self._service.socket = self.tls.wrap_socket(self._service.socket, server_side=True)
        self._thread = threading.Thread(target=self._service.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._service.stopping.set()
        self._service.shutdown()
        self._service.server_close()
        assert self._service.errors == []

    @property
    def url(self) -> str:
        """The base address of both APIs."""
        return f"{'https' if self.tls else 'http'}://127.0.0.1:{self._service.server_port}"

    def plan(self, faults: Iterable[Fault | None]) -> None:
        """From the next request on."""
        self._planned = iter(faults)

    def next_fault(self) -> Fault | None:
        """The fault of this request; none when no more are planned."""
        with self._lock:
            return next(self._planned, None)

    def answer(self, asked: Asked) -> tuple[int, Any, dict[str, str]]:
        """Status, content and headers."""
        with self._lock:
            self.asked.append(asked)
            if self.before_answer is not None:
                self.before_answer(self, len(self.asked))
        if asked.path == "/2.0/" and asked.params.get("method", "").startswith("artist."):
            return *self._about_artist(asked.params), {}
        if asked.path == "/similar-artists/json":
            return 200, self.similar.get(asked.params["artist_mbids"], []), {}
        if asked.path == "/1/metadata/lookup/":
            if asked.headers.get("Authorization") != f"Token {TOKEN}":
                return 401, {"code": 401, "error": "Invalid authorization token."}, {}
            mbids = self.mbids.get(asked.params["artist_name"])
            return 200, {"artist_credit_name": asked.params["artist_name"], "artist_mbids": mbids} if mbids else {}, {}
        if asked.path == "/2.0/":
            return *self._recent_tracks(asked.params), {}
        if asked.path.startswith("/1/user/"):
            return self._listens(asked)
        return 404, {"code": 404, "error": "Not found"}, {}

    def _newest_first(self, listens: Iterable[Listen]) -> list[Listen]:
        turn = len(self.asked) if self.shuffles_seconds else 0
        return sorted(listens, key=lambda one: (-one.second, crc32(f"{turn} {one.title}".encode()) if turn else 0, one))

    def _about_artist(self, params: Mapping[str, str]) -> tuple[int, Any]:
        if params.get("api_key") != API_KEY:
            return 403, {"error": 10, "message": "Invalid API key"}
        found = self.artists.get(params["artist"], {}).get(params["method"])
        # With status 200, as the service does.
        return 200, found or {"error": 6, "message": "The artist you supplied could not be found"}

    def _recent_tracks(self, params: Mapping[str, str]) -> tuple[int, Any]:
        user = params.get("user", "").lower()
        if params.get("api_key") != API_KEY:
            return 403, {"error": 10, "message": "Invalid API key"}
        if user not in self.lastfm:
            return 404, {"error": 6, "message": "User not found"}
        if user in self.hidden:
            return 403, {"error": 17, "message": "Login: User required to be logged in"}
        end, size, page = int(params.get("to", 10**11)), int(params["limit"]), int(params.get("page", 1))
        if not 1 <= size <= 1000:
            return 400, {"error": 6, "message": "limit param out of bounds (1-1000)"}
        start, end = int(params.get("from", 0)), end + self.to_is_inclusive
        between = self._newest_first(one for one in self.lastfm[user] if start <= one.second < end)
        rows = [track_row(one) for one in between[(page - 1) * size : page * size]]
        if self.playing is not None:
            rows.insert(0, track_row(self.playing) | {"@attr": {"nowplaying": "true"}})
            del rows[0]["date"]
        about = {"user": user, "page": str(page), "perPage": str(size)}
        about |= {"totalPages": str(-(-len(between) // size)), "total": str(len(between))}
        # Libre.fm, and Last.fm's other methods, have no list around a single row.
        return 200, {"recenttracks": {"@attr": about, "track": rows[0] if len(rows) == 1 else rows}}

    def _listens(self, asked: Asked) -> tuple[int, Any, dict[str, str]]:
        if asked.headers.get("Authorization", f"Token {TOKEN}") != f"Token {TOKEN}":
            return 401, {"code": 401, "error": "Invalid authorization token."}, {}
        user = asked.path.split("/")[3].lower()
        if user not in self.listenbrainz:
            return 404, {"code": 404, "error": f"Cannot find user: {user}"}, {}
        count, low, high = (int(asked.params.get(name, default)) for name, default in _BOUNDS)
        between = self._newest_first(one for one in self.listenbrainz[user] if low < one.second < high)
        # With a lower bound only, the service gives the oldest.
        page = between[-count:] if "min_ts" in asked.params and "max_ts" not in asked.params else between[:count]
        payload = {"count": len(page), "user_id": user, "listens": [listen_row(one, user, self.mapping) for one in page]}
        left = {"X-RateLimit-Remaining": str(self.requests_left), "X-RateLimit-Reset-In": "7"}
        return 200, {"payload": payload}, left if self.requests_left is not None else {}


_BOUNDS = (("count", 25), ("min_ts", -1), ("max_ts", 10**11))


def track_row(one: Listen) -> dict[str, Any]:
    date = dt.datetime.fromtimestamp(one.second, dt.timezone.utc)
    names = {"artist": {"mbid": "", "#text": one.artist}, "album": {"mbid": "", "#text": one.album}, "name": one.title}
    return {**names, "mbid": "", "url": "u", "image": [], "date": {"uts": str(one.second), "#text": f"{date:%d %b %Y, %H:%M}"}}


def listen_row(one: Listen, user: str, mapping: dict[str, Any] | None = None) -> dict[str, Any]:
    info = {"duration_ms": one.track_ms} if one.track_ms else {}
    metadata = {"artist_name": one.artist, "track_name": one.title, "release_name": one.album, "additional_info": info}
    metadata |= {} if mapping is None else {"mbid_mapping": mapping}
    return {"listened_at": one.second, "recording_msid": msid(one), "user_name": user, "track_metadata": metadata}


def msid(one: Listen) -> str:
    """The id that ListenBrainz gives to what was submitted."""
    return str(uuid.uuid5(uuid.NAMESPACE_URL, f"{one.artist}\x1f{one.title}\x1f{one.album}"))
