"""Connect: accounts at Spotify, Last.fm and ListenBrainz, how they fare, and how to disconnect them."""

from __future__ import annotations

import datetime as dt
from typing import Any
from urllib.parse import urlencode

from pydantic import ValidationError
from pydantic_settings import SettingsError
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from lakehouse.cli.errors import invalid_settings
from polling.answers import AccountRefused, PollError
from polling.redirect import ConsentDeniedError, RedirectError, code_of
from polling.settings import SpotifySettings
from polling.spotify_grant import Consent, OtherListenerError, new_state
from service.consents import CALLBACK, Consents, Pending, redirect_of
from service.rendering import Link, page, person_of, shown_listener
from service.security import checked_form

PATH = "/connect"
SPOTIFY, PASTE, NAMED, DISCONNECT = f"{PATH}/spotify", f"{PATH}/paste", f"{PATH}/named", f"{PATH}/disconnect"
MENU = (Link(PATH, "Connect"),)
DONE = {
    "spotify": "Spotify is connected.",
    "named": "The account is connected.",
    "gone": "The account is disconnected. Its plays stay.",
}
NO_REQUEST = "This answer belongs to no request that is under way, or came after ten minutes. Begin again with “Connect Spotify”."
FAILURES = (PollError, AccountRefused, OSError, ValidationError, SettingsError)


async def show(request: Request) -> Response:
    """The accounts of a listener, and the forms."""
    return await _page(request, shown_listener(request))


async def begin(request: Request) -> Response:
    """Ask Spotify for the listener's consent; the answer is the page with the link."""
    listener = shown_listener(request)
    await checked_form(request)
    try:
        state = await run_in_threadpool(_begun, request, listener)
    except FAILURES as error:
        return await _page(request, listener, problem=_said(error), status=400)
    return RedirectResponse(_address(SPOTIFY, state=state), 303)


async def show_consent(request: Request) -> Response:
    """The link to Spotify, and the field for the address that it leads to."""
    return _consent_page(request, _pending(request, request.query_params.get("state", "")))


async def paste(request: Request) -> Response:
    """The address that the browser ended at, from another device, or where the service does not answer there."""
    form = await checked_form(request)
    pending = _pending(request, str(form.get("state", "")))
    return await _finish(request, pending, str(form.get("address", "")), is_pasted=True)


async def callback(request: Request) -> Response:
    """Where Spotify sends the browser.

    The cookie of the log-in does not come along from another site, so the page is loaded once more from here; and it may be that
    of another name of this machine, under which the service was opened.
    """
    consents: Consents = request.app.state.consents
    pending = consents.find(request.query_params.get("state", ""))
    if pending is None:
        raise HTTPException(400, NO_REQUEST)
    query = request.url.query
    if request.state.person is None:
        if pending.origin != _origin(request):
            return RedirectResponse(f"{pending.origin}{CALLBACK}?{query}", 303)
        if "again" in request.query_params:
            reason = (
                "You are not logged in in this browser. Copy its whole address, and paste it where you began to connect Spotify."
            )
            raise HTTPException(401, reason)
        return page(request, "connect_again.html", title="Connect Spotify", address=f"{CALLBACK}?{query}&again=1")
    return await _finish(request, _pending(request, pending.consent.state), str(request.url), is_pasted=False)


async def name_account(request: Request) -> Response:
    """Connect an account at Last.fm or ListenBrainz by its name."""
    from service.accounts import connect_by_name

    listener, form = shown_listener(request), await checked_form(request)
    settings, source, name = request.app.state.settings, str(form.get("source", "")), str(form.get("name", ""))
    try:
        await run_in_threadpool(connect_by_name, settings, source, listener, name)
    except FAILURES as error:
        return await _page(request, listener, problem=_said(error), status=400)
    request.app.state.polls.start(listener)
    return RedirectResponse(_address(PATH, done="named", listener=listener), 303)


async def remove(request: Request) -> Response:
    """Disconnect an account."""
    from service.accounts import disconnect

    listener, form = shown_listener(request), await checked_form(request)
    settings, source, account_id = request.app.state.settings, str(form.get("source", "")), str(form.get("account_id", ""))
    try:
        await run_in_threadpool(disconnect, settings, source, listener, account_id)
    except FAILURES as error:
        return await _page(request, listener, problem=_said(error), status=400)
    return RedirectResponse(_address(PATH, done="gone", listener=listener), 303)


def _begun(request: Request, listener: str) -> str:
    """The state of a new request for consent. Raises PollError and pydantic.ValidationError."""
    service = request.app.state.settings
    settings = SpotifySettings(state_dir=service.state_dir)
    redirect, comes_back = redirect_of(settings.redirect_uri, service)
    consent = Consent(settings, redirect, new_state())
    consents: Consents = request.app.state.consents
    consents.add(consent, person_of(request).user_id, listener, _origin(request), comes_back=comes_back)
    return consent.state


def _pending(request: Request, state: str) -> Pending:
    """The request for consent of the person who asks. Raises HTTPException."""
    consents: Consents = request.app.state.consents
    pending = consents.find(state)
    if pending is None:
        raise HTTPException(400, NO_REQUEST)
    if pending.person != person_of(request).user_id:
        raise HTTPException(403, "Somebody else began to connect this account. Nothing was connected.")
    return pending


async def _finish(request: Request, pending: Pending, address: str, *, is_pasted: bool) -> Response:
    """Exchange the code in the address that the browser came to."""
    consents: Consents = request.app.state.consents
    try:
        code = code_of(address, pending.consent.state)
        consents.end(pending.consent.state)
        await run_in_threadpool(pending.consent.token, code, pending.listener, keeps_listener=False)
    except RedirectError as error:
        return _consent_page(request, pending, problem=_said(error))
    except OtherListenerError:
        problem = "That Spotify account belongs to another listener here, as do its plays so far. Ask the admin."
        return await _page(request, pending.listener, problem=problem, status=403)
    except ConsentDeniedError as error:
        consents.end(pending.consent.state)
        return await _page(request, pending.listener, problem=_said(error), status=403)
    except FAILURES as error:
        return await _page(request, pending.listener, problem=_said(error), status=502)
    request.app.state.polls.start(pending.listener)
    done = _address(PATH, done="spotify", listener=pending.listener)
    if is_pasted:
        return RedirectResponse(done, 303)
    # A redirect of this request would still be another site's, without the cookie.
    return page(request, "connect_again.html", title="Spotify is connected", address=done)


def _consent_page(request: Request, pending: Pending, problem: str | None = None) -> Response:
    values: dict[str, Any] = {"pending": pending, "link": pending.consent.link, "problem": problem}
    return page(request, "connect_spotify.html", status=400 if problem else 200, title="Connect Spotify", **values)


async def _page(request: Request, listener: str, *, problem: str | None = None, status: int = 200) -> Response:
    # With half of Arrow, which a service that nobody connects accounts with does without.
    from service.accounts import connected

    settings = request.app.state.settings
    accounts: list[Any] = []
    try:
        accounts = await run_in_threadpool(connected, settings, listener, dt.datetime.now(dt.timezone.utc))
    except FAILURES as error:
        problem, status = problem or _said(error), 500 if status == 200 else status
    person = person_of(request)
    values: dict[str, Any] = {
        "listener": listener,
        "accounts": accounts,
        "people": request.app.state.people.all() if person.is_admin else [],
        "missing": {source: not any(one.source == source for one in accounts) for source in ("lastfm_api", "listenbrainz_api")},
        "done": DONE.get(request.query_params.get("done", "")) if problem is None else None,
        "problem": problem,
    }
    return page(request, "connect.html", status=status, title="Connect", **values)


def _said(error: Exception) -> str:
    """What a person is told of an error."""
    if isinstance(error, AccountRefused):
        return f"{error}; {error.remedy}."
    if isinstance(error, (ValidationError, SettingsError)):
        return f"A setting cannot be used, which the admin can change: {'; '.join(invalid_settings(error))}."
    text = error.strerror or "the disk does not answer" if isinstance(error, OSError) else str(error)
    return text if text.endswith(".") else f"{text}."


def _origin(request: Request) -> str:
    return f"{request.url.scheme}://{request.headers.get('host', '')}"


def _address(path: str, **query: str) -> str:
    return f"{path}?{urlencode(query)}"


ROUTES = [
    Route(PATH, show, methods=["GET"]),
    Route(SPOTIFY, begin, methods=["POST"]),
    Route(SPOTIFY, show_consent, methods=["GET"]),
    Route(PASTE, paste, methods=["POST"]),
    Route(CALLBACK, callback, methods=["GET"]),
    Route(NAMED, name_account, methods=["POST"]),
    Route(DISCONNECT, remove, methods=["POST"]),
]
