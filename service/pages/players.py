"""Tokens for players, which submit what they play, and for widgets and scripts, which read."""

from __future__ import annotations

from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from service.api_tokens import MOST_LABEL, READ, SUBMIT, TokensError, issue, listed, revoke
from service.rendering import Link, page, person_of
from service.security import checked_form

PATH = "/players"
REVOKE = f"{PATH}/revoke"
MENU = (Link(PATH, "Players"),)
SCOPES = {SUBMIT: "a player that submits plays", READ: "a widget or script that reads your figures"}


async def show(request: Request) -> Response:
    """The tokens of the person who asks, without what would let anybody use them."""
    return await _page(request)


async def make(request: Request) -> Response:
    """A new token, which only this answer shows."""
    form = await checked_form(request)
    scope, label = str(form.get("scope", "")), str(form.get("label", "")).strip()
    if scope not in SCOPES or not label:
        return await _page(request, problem="Say what the token is for, and give it a name.", status=400)
    try:
        token = await run_in_threadpool(issue, request.app.state.settings.state_dir, person_of(request).user_id, scope, label)
    except (TokensError, ValueError, OSError) as error:
        return await _page(request, problem=f"{error}.", status=400)
    return await _page(request, token=token, scope=scope, label=label)


async def end(request: Request) -> Response:
    """Revoke a token of the person who asks."""
    form = await checked_form(request)
    try:
        state_dir, user_id = request.app.state.settings.state_dir, person_of(request).user_id
        is_revoked = await run_in_threadpool(revoke, state_dir, user_id, str(form.get("token_id", "")))
    except (TokensError, OSError) as error:
        return await _page(request, problem=f"{error}.", status=400)
    if not is_revoked:
        return await _page(request, problem="You have no such token.", status=404)
    return RedirectResponse(PATH, 303)


async def _page(
    request: Request,
    *,
    token: str | None = None,
    scope: str = SUBMIT,
    label: str = "",
    problem: str | None = None,
    status: int = 200,
) -> Response:
    try:
        tokens = await run_in_threadpool(listed, request.app.state.settings.state_dir, person_of(request).user_id)
    except (TokensError, OSError) as error:
        tokens, problem, status = [], f"{error}.", 500
    values: dict[str, Any] = {
        "tokens": tokens,
        "token": token,
        "scope": scope,
        "label": label,
        "scopes": SCOPES,
        "base": f"{request.url.scheme}://{request.headers.get('host', '')}",
        "most_label": MOST_LABEL,
        "problem": problem,
    }

    return page(request, "players.html", status=status, title="Players", **values)


ROUTES = [
    Route(PATH, show, methods=["GET"]),
    Route(PATH, make, methods=["POST"]),
    Route(REVOKE, end, methods=["POST"]),
]
