"""What every request passes before a page sees it: host name, size and pace of its body, origin, log-in."""

from __future__ import annotations

import datetime as dt
import hmac
from collections.abc import Mapping
from urllib.parse import urlsplit

import anyio
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import FormData, Headers
from starlette.exceptions import HTTPException
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import HTTPConnection, Request
from starlette.responses import RedirectResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.errors import answer
from service.sessions import Sessions, cookie_of

# Requests to these carry a token of their own and no cookie: no log-in, no form and no other site's page has a say in them.
BY_TOKEN = ("/1/", "/api/", "/apis/", "/healthz", "/metrics")
# What people see before they are logged in.
OPEN = ("/login", "/enter", "/static/", "/callback")
SAFE = ("GET", "HEAD", "OPTIONS")
LARGEST_BODY = 2**20
# A body may take this long, and a second more for each so many bytes.
BODY_SECONDS, BODY_RATE = 20.0, 1024
SEND_SECONDS = 60.0
# Of a body that is refused by its length.
DISCARDED, DISCARD_SECONDS = 16 * 2**20, 5.0


def is_below(path: str, prefixes: tuple[str, ...]) -> bool:
    """Whether the path is one of these, or below one that ends in a slash."""
    return any(path.startswith(prefix) if prefix.endswith("/") else path == prefix for prefix in prefixes)


class KnownHosts:
    """Refuses requests under names that nobody allowed, as those of a page whose own name was bound to this machine."""

    def __init__(self, app: ASGIApp, names: tuple[str, ...]) -> None:
        self.app, self.names = app, names

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        is_known = scope["type"] != "http"

        async def known(scope: Scope, receive: Receive, send: Send) -> None:
            nonlocal is_known
            is_known = True

        async def unsent(message: Message) -> None:
            """The middleware's own answer, which names no remedy."""

        if not is_known:
            await TrustedHostMiddleware(known, self.names, www_redirect=False)(scope, receive, unsent)
        if is_known:
            await self.app(scope, receive, send)
        else:
            reason = (
                "This service does not answer to that host name. Add it to LAKEHOUSE_SERVE_NAMES and start the service again."
            )
            await answer(HTTPConnection(scope), 400, reason)(scope, receive, send)


class Limits:
    """Refuses bodies that are too large or come too slowly, and gives up on clients that do not read."""

    def __init__(self, app: ASGIApp, limits: Mapping[str, int | None]) -> None:
        """`limits`: bytes by prefix of the path; None for a page that counts by itself."""
        self.app, self.limits = app, limits

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        limit = next((size for prefix, size in self.limits.items() if scope["path"].startswith(prefix)), LARGEST_BODY)
        length = Headers(scope=scope).get("content-length", "0")
        if limit is not None and (not length.isdecimal() or int(length) > limit):
            await _discard(receive)
            await answer(HTTPConnection(scope), 413, _too_large(limit), {"connection": "close"})(scope, receive, send)
            return
        began, received, is_whole = anyio.current_time(), 0, False

        async def paced() -> Message:
            nonlocal received, is_whole
            if is_whole:
                return await receive()
            with anyio.move_on_at(began + BODY_SECONDS + received / BODY_RATE) as patience:
                message = await receive()
            if patience.cancelled_caught:
                raise HTTPException(408, "The request came too slowly. Send it again.", {"connection": "close"})
            received += len(message.get("body", b""))
            is_whole = not message.get("more_body", False)
            if limit is not None and received > limit:
                raise HTTPException(413, _too_large(limit), {"connection": "close"})
            return message

        async def patient(message: Message) -> None:
            with anyio.fail_after(SEND_SECONDS):
                await send(message)

        await self.app(scope, paced, patient)


async def _discard(receive: Receive) -> None:
    """Read what a client sends nevertheless, up to a point: where a connection is closed over it, the client sees no answer."""
    received, is_whole = 0, False
    with anyio.move_on_after(DISCARD_SECONDS):
        while not is_whole and received < DISCARDED:
            message = await receive()
            received += len(message.get("body", b""))
            is_whole = message["type"] != "http.request" or not message.get("more_body", False)


def _too_large(limit: int) -> str:
    return f"The request is larger than {limit:,} bytes."


class LogIn:
    """Finds out who asks, and lets nobody else than a person of the service see a page or send a form.

    Sets `request.state.person` (None: not logged in) and `request.state.form_token`.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        connection = HTTPConnection(scope)
        connection.state.person, connection.state.form_token = None, ""
        path = scope["path"]
        if is_below(path, BY_TOKEN):
            await self.app(scope, receive, send)
            return
        if scope["method"] not in SAFE and not is_same_origin(connection.headers):
            reason = "This form was not sent from a page of this service. Open the page here and send it again."
            await answer(connection, 403, reason)(scope, receive, send)
            return
        secret = cookie_of(connection)
        if secret is not None:
            sessions: Sessions = connection.app.state.sessions
            session = await run_in_threadpool(sessions.find, secret, dt.datetime.now(dt.timezone.utc))
            if session is not None:
                connection.state.person, connection.state.form_token = session.person, session.form_token
        if connection.state.person is not None or is_below(path, OPEN):
            await self.app(scope, receive, send)
        elif scope["method"] in SAFE and "text/html" in connection.headers.get("accept", ""):
            await RedirectResponse("/login", 303)(scope, receive, send)
        else:
            await answer(connection, 401, "You are not logged in. Log in and try again.")(scope, receive, send)


def is_same_origin(headers: Headers) -> bool:
    """Whether a browser sent this from a page of this host: Origin equals Host, and Sec-Fetch-Site, where it is sent, agrees.

    Browsers send Origin with everything that changes something; Sec-Fetch-Site only to https and to this machine.
    """
    try:
        origin = urlsplit(headers.get("origin", ""))
    except ValueError:
        return False
    is_own = origin.scheme in ("http", "https") and origin.netloc.lower() == headers.get("host", "").lower()
    return is_own and headers.get("sec-fetch-site", "same-origin") == "same-origin"


def check_form_token(request: Request, token: object) -> None:
    """Raises HTTPException (403) unless the token is that of the session: what a form or the header X-Form-Token carries."""
    expected = request.state.form_token
    if not expected or not isinstance(token, str) or not hmac.compare_digest(token.encode(), expected.encode()):
        raise HTTPException(403, "This form is too old, or of another log-in. Open the page again and send it once more.")


async def checked_form(request: Request, *, largest_part: int = LARGEST_BODY) -> FormData:
    """The fields of a form, whose field `form_token` is checked. Raises HTTPException."""
    form = await request.form(max_files=1, max_fields=1000, max_part_size=largest_part)
    check_form_token(request, form.get("form_token"))
    return form
