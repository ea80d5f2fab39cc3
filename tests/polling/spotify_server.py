"""A server that speaks Spotify's accounts service and the part of its API that is used, on 127.0.0.1, with faults on demand."""

from __future__ import annotations

import base64
import datetime as dt
import hashlib
import ipaddress
import random
import ssl
import sys
import threading
from collections import defaultdict, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from tests.polling import spotify_faults as faults
from tests.polling.spotify_faults import Fault

SCOPE = "user-read-recently-played"


@dataclass
class Account:
    """An account at Spotify, and what it played, newest first."""

    account_id: str
    name: str = "Vega's friend"
    plays: list[Any] = field(default_factory=list)


@dataclass(frozen=True)
class Request:
    """What a client asked."""

    method: str
    path: str
    query: dict[str, str]
    form: dict[str, str]
    headers: dict[str, str]


@dataclass(frozen=True)
class Consent:
    """What a code stands for."""

    account_id: str
    client_id: str
    redirect_uri: str
    challenge: str


def play(number: int, played_at: str, **changes: Any) -> dict[str, Any]:
    """A play in the shape of recently-played; fields of the track can be changed, and left out by None."""
    artist = {"id": "0aB1", "name": "Vega", "type": "artist", "uri": "spotify:artist:0aB1"}
    track = {
        "album": {"id": "1aB2", "name": "North", "release_date": "2024-03-01", "release_date_precision": "day", "type": "album"},
        "artists": [artist],
        "duration_ms": 201_000,
        "external_ids": {"isrc": f"ZZX0124{number:05}"},
        "id": f"2aB{number}",
        "is_local": False,
        "name": f"Tide {number}",
        "type": "track",
        "uri": f"spotify:track:2aB{number}",
    }
    kept = {name: value for name, value in {**track, **changes}.items() if value is not None}
    return {"track": kept, "played_at": played_at, "context": None}


class SpotifyServer:
    """Use as a context manager. `faults[path]` answer the next requests of a path; `chaos` puts seeded faults before answers."""

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self.accounts: dict[str, Account] = {}
        self.faults: dict[str, deque[Fault]] = defaultdict(deque)
        self.chaos: random.Random | None = None
        self.chaos_share = 0.3
        self.requests: list[Request] = []
        self.now: Callable[[], dt.datetime] = lambda: dt.datetime.now(dt.timezone.utc)
        self.metadata: dict[str, dict[str, Any]] = {}
        self.token_fields: dict[str, Any] = {}
        """put over the fields of each token's answer; None leaves one out"""
        self.profile_fields: dict[str, Any] = {}
        self.rotates = True
        """a refresh brings a new refresh token and voids the old one"""
        self.consents_to: str | None = None
        """the account that agrees when /authorize is opened; None: the person says no"""
        self._codes: dict[str, Consent] = {}
        self._access: dict[str, str] = {}
        self._refresh: dict[str, tuple[str, str]] = {}
        self._numbers = 0
        self._lock = threading.Lock()
        self._server = _Listening(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True
        self._scheme = "http" if tls is None else "https"
        if tls is not None:
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True)
        self._server.stopped = threading.Event()  # type: ignore[attr-defined]

    def __enter__(self) -> SpotifyServer:
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._server.stopped.set()  # type: ignore[attr-defined]
        self._server.shutdown()
        self._server.server_close()

    @property
    def url(self) -> str:
        return f"{self._scheme}://127.0.0.1:{self._server.server_address[1]}"

    def add(self, account_id: str, *plays: Any) -> Account:
        """An account with these plays, newest first."""
        self.accounts[account_id] = Account(account_id, plays=list(plays))
        return self.accounts[account_id]

    def grant(self, account_id: str, client_id: str) -> dict[str, Any]:
        """A new token of an account, as the token endpoint answers it."""
        with self._lock:
            self._numbers += 1
            number = self._numbers
        access, refresh = f"secret-access-{account_id}-{number}", f"secret-refresh-{account_id}-{number}"
        self._access[access] = account_id
        self._refresh[refresh] = (account_id, client_id)
        answer = {"access_token": access, "token_type": "Bearer", "expires_in": 3600, "refresh_token": refresh, "scope": SCOPE}
        return {name: value for name, value in {**answer, **self.token_fields}.items() if value is not None}

    def withdraw(self, account_id: str, *, consent: bool) -> None:
        """Void the account's access tokens, and with the `consent` its refresh tokens too."""
        self._access = {token: owner for token, owner in self._access.items() if owner != account_id}
        if consent:
            self._refresh = {token: pair for token, pair in self._refresh.items() if pair[0] != account_id}

    def fail(self, path: str, *then: Fault) -> None:
        """Answer the next requests of a path with these faults."""
        self.faults[path].extend(then)

    def asked(self, path: str) -> list[Request]:
        """The requests of a path so far."""
        return [request for request in self.requests if request.path == path]

    def fault(self, request: Request) -> Fault | None:
        """The fault that answers this request, if any."""
        with self._lock:
            if queued := self.faults[request.path]:
                return queued.popleft()
            if self.chaos is not None and self.chaos.random() < self.chaos_share:
                return faults.passing(self.chaos)
        return None

    def answer(self, request: Request) -> Fault:
        """The answer of a server without faults."""
        if request.path == "/authorize":
            return self._authorize(request.query)
        if request.path == "/api/token":
            return self._token(request.form)
        owner = self._access.get(request.headers.get("Authorization", "").removeprefix("Bearer "))
        if owner is None:
            return faults.api_error(401, "The access token expired")
        if request.path == "/v1/me/":
            name = self.accounts[owner].name
            return faults.reply(200, {"id": f"user-{owner}", "account_id": owner, "display_name": name, **self.profile_fields})
        if request.path == "/v1/me/player/recently-played":
            return self._recently_played(self.accounts[owner].plays[:50])
        found = self.metadata.get(request.path.removeprefix("/v1/"))
        return faults.api_error(404, "Resource not found") if found is None else faults.reply(200, found)

    @staticmethod
    def _recently_played(plays: list[Any]) -> Fault:
        cursors = {"after": "1795986245123", "before": "1795986000000"} if plays else None
        return faults.reply(200, {"items": plays, "next": None, "cursors": cursors, "limit": 50, "href": "h"})

    def _authorize(self, query: dict[str, str]) -> Fault:
        answer = {"state": query["state"]}
        if self.consents_to is None:
            return faults.redirect(f"{query['redirect_uri']}?{urlencode({'error': 'access_denied', **answer})}")
        assert (query["response_type"], query["code_challenge_method"]) == ("code", "S256")
        code = f"secret-code-{len(self._codes)}"
        self._codes[code] = Consent(self.consents_to, query["client_id"], query["redirect_uri"], query["code_challenge"])
        return faults.redirect(f"{query['redirect_uri']}?{urlencode({'code': code, **answer})}")

    def _token(self, form: dict[str, str]) -> Fault:
        if form.get("grant_type") == "refresh_token":
            owner, client_id = self._refresh.get(form["refresh_token"], (None, None))
            if owner is None or client_id != form["client_id"]:
                return faults.oauth_error(400, "invalid_grant")
            if self.rotates:
                del self._refresh[form["refresh_token"]]
            return faults.reply(200, self.grant(owner, form["client_id"]))
        consent = self._codes.pop(form.get("code", ""), None)
        digest = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
        challenge = base64.urlsafe_b64encode(digest).decode().rstrip("=")
        if consent is None or (consent.client_id, consent.redirect_uri, consent.challenge) != (
            form["client_id"],
            form["redirect_uri"],
            challenge,
        ):
            return faults.oauth_error(400, "invalid_grant")
        return faults.reply(200, self.grant(consent.account_id, consent.client_id))


class _Listening(ThreadingHTTPServer):
    """Clients may hang up, or be killed."""

    def handle_error(self, request: Any, client_address: Any) -> None:
        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(request, client_address)


def self_signed(folder: Path) -> ssl.SSLContext:
    """TLS of a server that nobody vouches for."""
    key, name = ec.generate_private_key(ec.SECP256R1()), x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    now = dt.datetime.now(dt.timezone.utc)
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key()).serial_number(1)
    builder = builder.not_valid_before(now - dt.timedelta(days=1)).not_valid_after(now + dt.timedelta(days=1))
    alternative = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    certificate = builder.add_extension(alternative, critical=False).sign(key, hashes.SHA256())
    plain_key = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (folder / "server.pem").write_bytes(plain_key + certificate.public_bytes(Encoding.PEM))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "server.pem")
    return context


def _handler(server: SpotifyServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        timeout = 20
        # An answer in one packet: else each one waits 40 ms for the client's acknowledgement.
        wbufsize = -1

        def _respond(self) -> None:
            parts = urlsplit(self.path)
            form = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
            request = Request(
                self.command,
                parts.path,
                {name: values[0] for name, values in parse_qs(parts.query).items()},
                {name: values[0] for name, values in parse_qs(form).items()},
                dict(self.headers),
            )
            server.requests.append(request)
            try:
                (server.fault(request) or server.answer(request))(self)
            except ConnectionError:
                self.close_connection = True

        def do_GET(self) -> None:
            self._respond()

        def do_POST(self) -> None:
            self._respond()

        def date_time_string(self, timestamp: float | None = None) -> str:
            return format_datetime(server.now(), usegmt=True)

        def log_message(self, format: str, *args: Any) -> None:
            """Nothing."""

    return Handler
