"""Logging in, by a link of `lakehouse link` or by name and password, and out."""

from __future__ import annotations

import datetime as dt

import anyio.to_thread
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from bi.passwords import is_right
from service.attempts import Attempts
from service.links import PATH
from service.people import Person
from service.rendering import page
from service.security import checked_form
from service.sessions import cookie_of, forget_cookie, set_cookie

# Passwords are checked one at a time: each check takes 32 MiB.
MOST_WAITING = 5
ATTEMPTS = Attempts(most=10, seconds=60.0)
LINK_OVER = "This link was used already, or is older than ten minutes. `lakehouse link` prints a new one."


async def show_login(request: Request) -> Response:
    """The form for name and password, and how to get a link."""
    if request.state.person is not None:
        return RedirectResponse("/", 303)
    return page(request, "login.html", title="Log in", problem=None, name="")


async def log_in(request: Request) -> Response:
    """Begin a session for a right password."""
    form = await request.form(max_files=0, max_fields=2)
    name, password = str(form.get("name", "")), str(form.get("password", ""))
    if not ATTEMPTS.is_allowed(name):
        raise HTTPException(429, "Too many wrong passwords for this name. Wait a minute, or ask the admin for a link.")
    known = await run_in_threadpool(request.app.state.people.by_login, name)
    limiter = request.app.state.password_limiter
    if limiter.statistics().tasks_waiting >= MOST_WAITING:
        raise HTTPException(503, "Too many people log in at the moment. Try again in a minute, or use a link.")
    is_known = await anyio.to_thread.run_sync(is_right, password, known and known.password_hash, limiter=limiter)
    if known is None or not is_known:
        ATTEMPTS.failed(name)
        problem = "The name or the password is wrong."
        return page(request, "login.html", status=403, title="Log in", problem=problem, name=name)
    return await _entered(request, known.person)


async def show_link(request: Request) -> Response:
    """Ask before the link is used up: programs that preview links follow them too."""
    key = request.query_params.get("key", "")
    person = await run_in_threadpool(request.app.state.links.whose, key, _now())
    if person is None:
        raise HTTPException(403, LINK_OVER)
    return page(request, "enter.html", title="Log in", whom=person, key=key)


async def use_link(request: Request) -> Response:
    """Use the link up and begin a session."""
    form = await request.form(max_files=0, max_fields=2)
    person = await run_in_threadpool(request.app.state.links.use, str(form.get("key", "")), _now())
    if person is None:
        raise HTTPException(403, LINK_OVER)
    return await _entered(request, person)


async def log_out(request: Request) -> Response:
    """End the session, here and in the browser."""
    await checked_form(request)
    secret = cookie_of(request)
    if secret is not None:
        await run_in_threadpool(request.app.state.sessions.end, secret)
    response = RedirectResponse("/login", 303)
    forget_cookie(response, request.app.state.settings.serve_port)
    return response


async def _entered(request: Request, person: Person) -> Response:
    secret = await run_in_threadpool(request.app.state.sessions.begin, person, _now())
    response = RedirectResponse("/", 303)
    set_cookie(response, request.app.state.settings.serve_port, secret)
    return response


def _now() -> dt.datetime:
    return dt.datetime.now(dt.timezone.utc)


ROUTES = [
    Route("/login", show_login, methods=["GET"]),
    Route("/login", log_in, methods=["POST"]),
    Route(PATH, show_link, methods=["GET"]),
    Route(PATH, use_link, methods=["POST"]),
    Route("/logout", log_out, methods=["POST"]),
]
