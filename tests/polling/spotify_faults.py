"""What a server or the way to it can do to an answer. Each fault answers one request in place of the server."""

from __future__ import annotations

import gzip
import json
import random
import threading
import time
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler
from typing import Any

Fault = Callable[[BaseHTTPRequestHandler], None]
HTML = b"<html><title>Maintenance</title><body>back soon</body></html>"
JSON = "application/json"


def reply(
    status: int,
    body: bytes | Mapping[str, Any] | list[Any] | str = b"",
    kind: str = JSON,
    headers: Mapping[str, str] | None = None,
) -> Fault:
    """A whole answer."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()

    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(status)
        handler.send_header("Content-Type", kind)
        if status != 204:
            handler.send_header("Content-Length", str(len(content)))
        for name, value in (headers or {}).items():
            handler.send_header(name, value)
        handler.end_headers()
        handler.wfile.write(content)

    return answer


def api_error(status: int, message: str, reason: str | None = None, headers: Mapping[str, str] | None = None) -> Fault:
    """An error in the form of Spotify's API."""
    error = {"status": status, "message": message, **({} if reason is None else {"reason": reason})}
    return reply(status, {"error": error}, headers=headers)


def oauth_error(status: int, code: str) -> Fault:
    """An error in the form of Spotify's accounts service."""
    return reply(status, {"error": code, "error_description": f"{code} it is"})


def html(status: int = 200) -> Fault:
    return reply(status, HTML, "text/html")


def cut(body: bytes = b'{"items": [{"played_at": "2026-') -> Fault:
    """The connection ends before the body does."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Type", JSON)
        handler.send_header("Content-Length", str(len(body) + 1000))
        handler.end_headers()
        handler.wfile.write(body)
        handler.close_connection = True

    return answer


def cut_chunks(handler: BaseHTTPRequestHandler) -> None:
    """As `cut`, in chunks, of which the last one is missing."""
    handler.send_response(200)
    handler.send_header("Content-Type", JSON)
    handler.send_header("Transfer-Encoding", "chunked")
    handler.end_headers()
    handler.wfile.write(b'8\r\n{"items"\r\n')
    handler.close_connection = True


def cut_gzip(handler: BaseHTTPRequestHandler) -> None:
    """A compressed body of which the end is missing, at the length that the header states."""
    reply(200, gzip.compress(b'{"items": []}' * 50)[:-20], headers={"Content-Encoding": "gzip"})(handler)


def bomb(handler: BaseHTTPRequestHandler) -> None:
    """64 MB of blanks and an object, in 64 KB."""
    reply(200, gzip.compress(b" " * 2**26 + b'{"items": []}'), headers={"Content-Encoding": "gzip"})(handler)


def drip(handler: BaseHTTPRequestHandler) -> None:
    """A body of one byte now and then, for longer than anybody should wait."""
    handler.send_response(200)
    handler.send_header("Content-Type", JSON)
    handler.send_header("Content-Length", "1000")
    handler.end_headers()
    _drip(handler)


def drip_headers(handler: BaseHTTPRequestHandler) -> None:
    """As `drip`, before the headers end."""
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nX-Slow: ")
    _drip(handler)


def _drip(handler: BaseHTTPRequestHandler) -> None:
    ends = time.monotonic() + 10
    stopped: threading.Event = handler.server.stopped  # type: ignore[attr-defined]
    while time.monotonic() < ends and not stopped.wait(0.1):
        handler.wfile.write(b" ")
        handler.wfile.flush()
    handler.close_connection = True


def hang_up(handler: BaseHTTPRequestHandler) -> None:
    """The connection ends without an answer."""
    handler.close_connection = True


def redirect(location: str) -> Fault:
    return reply(302, HTML, "text/html", {"Location": location})


def passing(chosen: random.Random) -> Fault:
    """One of the faults that another try gets over, without a long wait."""
    faults: list[Fault] = [
        api_error(500, "Server error"),
        api_error(503, "Service unavailable"),
        api_error(429, "API rate limit exceeded", headers={"Retry-After": "1"}),
        reply(502, {"error": "bad gateway"}),
        reply(503, ["not", "an", "object"]),
        html(),
        html(504),
        reply(204),
        reply(200, b'{"items": ['),
        reply(200, []),
        cut(),
        cut_chunks,
        cut_gzip,
        hang_up,
    ]
    return chosen.choice(faults)
