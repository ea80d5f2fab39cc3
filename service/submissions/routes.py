"""ListenBrainz' API, as far as players use it: submit-listens, validate-token, and a listener's own listens.

One route takes every path below /1/, as players differ in how they join a base address with a path.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field

from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from service.api_tokens import READ, SUBMIT
from service.submissions import now_playing
from service.submissions.access import checked_token, granted_to, presented_token
from service.submissions.answers import RefusedError, not_now
from service.submissions.bodies import Bodies
from service.submissions.closing import BusyError
from service.submissions.listens import MOST_BODY_BYTES, PLAYING_NOW, UnreadableError, lines, parsed
from service.submissions.shown import listen_count, listens_of, playing_now_of
from service.submissions.stored import Range
from service.submissions.writer import Writer, utc_now

METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]
MOST_LISTENS_SHOWN, USUAL_LISTENS_SHOWN = 1000, 25

_logger = logging.getLogger(__name__)


@dataclass
class Door:
    """What the requests to an application share."""

    writer: Writer
    bodies: Bodies = field(default_factory=Bodies)


def door_of(app: Starlette) -> Door:
    """The application's door, made with the first request; its settings say where the inbox is."""
    if not hasattr(app.state, "door"):
        app.state.door = Door(Writer(app.state.settings.inbox_folder))
    door: Door = app.state.door
    return door


async def close_door(app: Starlette) -> None:
    """Close the journals when the service ends; those of one that is killed are closed by the next start or run."""
    if hasattr(app.state, "door"):
        await door_of(app).writer.close()
        del app.state.door


async def submit(request: Request) -> Response:
    """Listens are acknowledged once they are on disk."""
    granted = granted_to(request, SUBMIT)
    door = door_of(request.app)
    async with door.bodies.read(request) as body:
        try:
            submission = parsed(body)
        except UnreadableError as error:
            raise RefusedError(400, str(error)) from error
        if submission.listen_type == PLAYING_NOW:
            last = submission.listens[-1]
            if last is not None:
                now_playing.put(granted.user_id, last["track_metadata"])
            return JSONResponse({"status": "ok"})
        try:
            await door.writer.append(granted.user_id, lines(submission.listens, utc_now()))
        except OSError as error:
            _logger.error("listens cannot be written to %s: %s", request.app.state.settings.inbox_folder, error)
            raise not_now("the listens cannot be stored now; send them again later") from error
        except BusyError as error:
            _logger.error("%s", error)
            raise not_now("another process of this service takes listens; send them again later") from error
    return JSONResponse({"status": "ok"})


async def validate_token(request: Request) -> Response:
    """Players ask this first; a wrong token is an answer and no error."""
    token = presented_token(request) or request.query_params.get("token", "")
    if not token:
        raise RefusedError(400, "You need to provide an Authorization token.")
    granted = checked_token(request, token)
    if granted is None or granted.scope != SUBMIT:
        return JSONResponse({"code": 200, "message": "Token invalid.", "valid": False})
    return JSONResponse({"code": 200, "message": "Token valid.", "valid": True, "user_name": granted.user_id})


async def listens(request: Request) -> Response:
    """The listener's own listens, newest first, those included that no run has read yet."""
    user_id = _owner(request)
    wanted = min(max(_number(request, "count") or USUAL_LISTENS_SHOWN, 1), MOST_LISTENS_SHOWN)
    bounds = Range(_number(request, "min_ts"), _number(request, "max_ts"), wanted)
    return JSONResponse({"payload": await asyncio.to_thread(listens_of, request.app.state.settings, user_id, bounds)})


async def count(request: Request) -> Response:
    """How many listens the listener has."""
    user_id = _owner(request)
    return JSONResponse({"payload": {"count": await asyncio.to_thread(listen_count, request.app.state.settings, user_id)}})


async def playing_now(request: Request) -> Response:
    """What the listener hears right now."""
    return JSONResponse({"payload": playing_now_of(_owner(request))})


Handler = Callable[[Request], Awaitable[Response]]
HANDLERS: Mapping[tuple[str, str], Handler] = {("POST", "submit-listens"): submit, ("GET", "validate-token"): validate_token}
OF_LISTENER: Mapping[tuple[str, str], Handler] = {
    ("GET", "listens"): listens,
    ("GET", "listen-count"): count,
    ("GET", "playing-now"): playing_now,
}


async def dispatch(request: Request) -> Response:
    """Find the handler of a path below /1/, whose other 1s and blank parts are passed over."""
    parts = [part for part in request.path_params["rest"].split("/") if part]
    while parts and parts[0] == "1":
        parts.pop(0)
    handlers, name = HANDLERS, "/".join(parts)
    if len(parts) == 3 and parts[0] == "user":
        handlers, request.path_params["user"], name = OF_LISTENER, parts[1], parts[2]
    handler = handlers.get((request.method, name))
    try:
        if handler is not None:
            return await handler(request)
        methods = [method for method, other in handlers if other == name]
        if methods:
            raise RefusedError(405, f"use {methods[0]}", {"Allow": methods[0]})
        raise RefusedError(404, "there is no such address; this service knows what players need of ListenBrainz' API")
    except RefusedError as error:
        return error.answer()
    except ClientDisconnect:
        # Nobody reads the answer.
        return not_now("the request was cut off").answer()


async def unknown(request: Request) -> Response:
    """Other servers' interfaces, by which players find out what they talk to: an error, as JSON."""
    return RefusedError(404, "there is no such address").answer()


def _owner(request: Request) -> str:
    """The listener that the path names, who has to be the owner of the token: nobody sees the listens of another one."""
    granted = granted_to(request, SUBMIT, READ)
    if request.path_params["user"] != granted.user_id:
        raise RefusedError(404, f"this token shows nothing of a user of that name; use {granted.user_id}")
    return granted.user_id


def _number(request: Request, name: str) -> int | None:
    text = request.query_params.get(name)
    if not text:
        return None
    if not (text.isascii() and text.removeprefix("-").isdecimal()) or len(text) > 15:
        raise RefusedError(400, f"{name} has to be a whole number")
    return int(text)


ROUTES: list[BaseRoute] = [
    Route("/1/{rest:path}", dispatch, methods=METHODS),
    Route("/apis/{rest:path}", unknown, methods=METHODS),
]
BODY_LIMITS: dict[str, int | None] = {"/1/": MOST_BODY_BYTES}
