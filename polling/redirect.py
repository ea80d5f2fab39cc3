"""Where the browser comes back to after the consent: a server on this machine, or an address that a person pastes."""

from __future__ import annotations

import hmac
import queue
import socket
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any
from urllib.parse import SplitResult, parse_qs, urlsplit

from polling.answers import PollError

PAGE = (
    "<!doctype html><html lang=en><meta charset=utf-8><title>listening lakehouse</title>"
    "<p>{text} You can close this window and go back to the terminal.</p></html>"
)


class RedirectError(PollError):
    """The address that the browser came to carries no consent; another one may."""


class ConsentDeniedError(PollError):
    """The person, or the source for them, said no."""


def code_of(address: str, state: str) -> str:
    """The authorization code in the address of a redirect.

    Raises RedirectError for an address without a code, or with the `state` of another request: it may have been made up to
    connect another person's account. Raises ConsentDeniedError for an answer that says no.
    """
    query = parse_qs(_parts(address.strip()).query)
    given = query.get("state", [""])[0]
    if not hmac.compare_digest(given.encode(), state.encode()):
        raise RedirectError("the address does not belong to this request; paste the whole address, from the link shown above")
    if denied := query.get("error", [""])[0]:
        raise ConsentDeniedError(f"the consent was not given ({denied[:40]!r}); nothing is stored")
    if not (code := query.get("code", [""])[0]):
        raise RedirectError("the address holds no code; paste the whole address that the browser ended at")
    return code


def _parts(address: str) -> SplitResult:
    try:
        return urlsplit(address)
    except ValueError as error:
        raise RedirectError("that is no address; paste the whole address that the browser ended at") from error


class Receiver:
    """A server for one redirect, on a loopback address. Use as a context manager. Raises OSError for a port that is in use."""

    def __init__(self, redirect_uri: str, state: str) -> None:
        parts = urlsplit(redirect_uri)
        self._answers: queue.SimpleQueue[str | ConsentDeniedError] = queue.SimpleQueue()
        kind = _IPv6Server if parts.hostname == "::1" else _Server
        self._server = kind((parts.hostname or "127.0.0.1", parts.port or 0), _handler(parts.path or "/", state, self._answers))
        host = f"[{parts.hostname}]" if parts.hostname == "::1" else parts.hostname
        self.redirect_uri = f"http://{host}:{self._server.server_address[1]}{parts.path}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.1,), daemon=True)

    def __enter__(self) -> Receiver:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def wait(self, seconds: float) -> str:
        """The code. Raises ConsentDeniedError, and PollError when nothing came in time."""
        try:
            answer = self._answers.get(timeout=seconds)
        except queue.Empty:
            raise PollError(f"no answer from the browser within {seconds / 60:.0f} minutes; nothing is stored") from None
        if isinstance(answer, ConsentDeniedError):
            raise answer
        return answer


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        # A browser that goes away before it has the page is no failure of the walk.
        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(request, client_address)


class _IPv6Server(_Server):
    address_family = socket.AF_INET6


def _handler(path: str, state: str, answers: queue.SimpleQueue[str | ConsentDeniedError]) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        timeout = 10

        def do_GET(self) -> None:
            try:
                if _parts(self.path).path != path:
                    self._say(404, "This is not the address of the redirect.")
                    return
                code = code_of(self.path, state)
                self._say(200, "Spotify has answered.")
                answers.put(code)
            except RedirectError:
                # Any page can call this address. Only the answer to our own request ends the wait.
                self._say(400, "This answer does not belong to the request of the terminal.")
            except ConsentDeniedError as denied:
                self._say(200, "The consent was not given.")
                answers.put(denied)

        def _say(self, status: int, text: str) -> None:
            content = PAGE.format(text=text).encode()
            self.send_response(status)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.send_header("Content-Length", str(len(content)))
            self.send_header("Cache-Control", "no-store")
            self.send_header("Referrer-Policy", "no-referrer")
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *args: Any) -> None:
            """Nothing: the address holds the code."""

    return Handler
