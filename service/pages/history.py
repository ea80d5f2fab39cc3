"""Bring your history: an export is streamed into the inbox, looked at, and read by the run that it starts."""

from __future__ import annotations

import logging
import secrets
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import QueryParams
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from service.people import Person
from service.rendering import Link, page, person_of
from service.security import check_form_token
from service.uploads.incoming import START_BYTES
from service.uploads.multipart import upload_form
from service.uploads.receiving import Received, Terms, check_start, received
from service.uploads.refusal import BRING, RefusedUploadError
from service.uploads.store import brought

PATH = "/history"
CHECK = f"{PATH}/check"
MENU = (Link(PATH, "Bring your history"),)
# The first prefix that fits counts. A file is counted while it comes, by LAKEHOUSE_MAX_FILE_MB.
BODY_LIMITS: Mapping[str, int | None] = {CHECK: START_BYTES, PATH: None}
HOUSE = "_house"
"""in the place of a listener's name, which cannot begin with _"""
MEGABYTE = 1024 * 1024
MOST_AT_ONCE, MOST_RESULTS = 4, 100
FORM_BYTES = 64 * 1024
"""what a form adds to its file"""

log = logging.getLogger("service")


class Uploads:
    """How many uploads are under way, and what came of the last ones, for the page that is shown after one."""

    def __init__(self) -> None:
        self._under_way = 0
        self._results: OrderedDict[str, tuple[str, Received]] = OrderedDict()

    @contextmanager
    def one(self) -> Iterator[None]:
        """Raises RefusedUploadError while as many as may be are under way."""
        if self._under_way >= MOST_AT_ONCE:
            raise RefusedUploadError(503, "Other files are being received right now. Send yours in a minute.")
        self._under_way += 1
        try:
            yield
        finally:
            self._under_way -= 1

    def remember(self, user_id: str, result: Received) -> str:
        """The key under which that person finds the result."""
        key = secrets.token_urlsafe(16)
        self._results[key] = (user_id, result)
        while len(self._results) > MOST_RESULTS:
            self._results.popitem(last=False)
        return key

    def result(self, user_id: str, key: str) -> Received | None:
        """None for a key that is unknown, or another person's."""
        owner, result = self._results.get(key, ("", None))
        return result if owner == user_id else None


async def show(request: Request) -> Response:
    """The form, what was brought before, and after an upload what was in it."""
    return await _page(request)


async def bring_form(request: Request) -> Response:
    """A file by the form of the page, for browsers without scripts."""

    async def receive() -> Received:
        form = await upload_form(request.headers.get("content-type", ""), request.stream())
        check_form_token(request, form.fields.get("form_token"))
        terms = _terms(request, form.fields.get("listener", ""))
        return await received(terms, form.file_name, form.chunks, _announced(request, FORM_BYTES))

    try:
        key = await _stored(request, receive)
    except RefusedUploadError as error:
        return await _page(request, problem=error.reason, status=error.status)
    except ClientDisconnect:
        return _gone()
    return RedirectResponse(f"{PATH}?result={key}", 303)


async def bring_raw(request: Request) -> Response:
    """A file as the body of a PUT, which the page's script sends to show how far it is."""

    async def receive() -> Received:
        check_form_token(request, request.headers.get("x-form-token"))
        terms = _terms(request, request.query_params.get("listener", ""))
        return await received(terms, _file_name(request.query_params), request.stream(), _announced(request, 0))

    try:
        key = await _stored(request, receive)
    except RefusedUploadError as error:
        return JSONResponse({"code": error.status, "error": error.reason}, error.status)
    except ClientDisconnect:
        return _gone()
    return JSONResponse({"location": f"{PATH}?result={key}"}, 201)


async def check(request: Request) -> Response:
    """Whether a file that begins with this body would be refused, so that nobody sends two gigabytes in vain."""
    check_form_token(request, request.headers.get("x-form-token"))
    query, uploads = request.query_params, _uploads(request)
    try:
        with uploads.one():
            await check_start(_terms(request, query.get("listener", "")), _file_name(query), await request.body())
    except RefusedUploadError as error:
        return JSONResponse({"code": error.status, "error": error.reason}, error.status)
    return Response(status_code=204)


async def _stored(request: Request, receive: Callable[[], Awaitable[Received]]) -> str:
    """The key of the result of an upload, whose file the run that is started reads. Raises RefusedUploadError."""
    uploads = _uploads(request)
    try:
        with uploads.one():
            result = await receive()
    except OSError as error:
        log.error("an upload was not stored: %s", error)
        raise RefusedUploadError(507, f"The file could not be stored: {error.strerror}. Nothing of it is kept.") from error
    if result.is_new:
        request.app.state.runs.start()
    return uploads.remember(person_of(request).user_id, result)


def _terms(request: Request, named: str) -> Terms:
    """For whom a file is. Raises RefusedUploadError where a listener sends it for another."""
    person, settings = person_of(request), request.app.state.settings
    if named not in ("", person.user_id):
        if not person.is_admin:
            raise RefusedUploadError(403, "Only the admin can bring a file for somebody else.")
        if named != HOUSE and request.app.state.people.find(named) is None:
            raise RefusedUploadError(400, "There is no listener of that name. The admin adds one with `lakehouse listener add`.")
    listener = None if named == HOUSE else named or person.user_id
    return Terms(settings.inbox_folder, listener, person.is_admin, settings.max_file_mb * MEGABYTE)


def _announced(request: Request, more: int) -> int | None:
    """The size of the file that the request states, `more` being what it may hold beside it."""
    length = request.headers.get("content-length", "")
    return max(int(length) - more, 0) if length.isdecimal() else None


def _file_name(query: QueryParams) -> str:
    return query.get("name", "")[-255:]


def _uploads(request: Request) -> Uploads:
    uploads: Uploads = request.app.state.uploads
    return uploads


def _gone() -> Response:
    log.info("an upload broke off")
    # Nobody reads it.
    return Response(status_code=400)


async def _page(request: Request, *, problem: str | None = None, status: int = 200) -> Response:
    person, inbox = person_of(request), request.app.state.settings.inbox_folder
    everybody = request.app.state.people.all() if person.is_admin else [person]
    result = _uploads(request).result(person.user_id, request.query_params.get("result", ""))
    files = await run_in_threadpool(_files, inbox, person, everybody)
    values: dict[str, Any] = {"problem": problem, "result": result and _shown(result), "files": files, "house": HOUSE}
    values |= {"people": everybody, "bring": BRING, "max_mb": request.app.state.settings.max_file_mb}
    values |= {"is_running": request.app.state.runs.is_running}
    return page(request, "history.html", status=status, title="Bring your history", **values)


def _files(inbox: Any, person: Person, everybody: list[Person]) -> list[dict[str, Any]]:
    """The files that the person may see: their own; of the admin everybody's and the house's."""
    owners: list[str | None] = [one.user_id for one in everybody]
    if person.is_admin:
        owners.append(None)
    found = [{"listener": owner, "file": one} for owner in owners for one in brought(inbox, owner)]
    return sorted(found, key=lambda row: row["file"].at, reverse=True)


def _shown(result: Received) -> dict[str, Any]:
    """What was in an upload: the files that count, those that do not, and the sum."""
    read = [one for one in result.files if one["source"]]
    counts = [one["rows"] for one in read if one["rows"] is not None]
    days = [one[name] for one in read for name in ("first_day", "last_day") if one[name]]
    return {
        "listener": result.listener,
        "is_new": result.is_new,
        "size": result.size,
        "read": read,
        "other": [one for one in result.files if not one["source"] and not one["is_ignored"]],
        "ignored": sum(one["is_ignored"] for one in result.files),
        "rows": sum(counts),
        "is_counted": len(counts) == len(read),
        "first_day": min(days, default=None),
        "last_day": max(days, default=None),
    }


ROUTES = [
    Route(PATH, show, methods=["GET"]),
    Route(PATH, bring_form, methods=["POST"]),
    Route(PATH, bring_raw, methods=["PUT"]),
    Route(CHECK, check, methods=["POST"]),
]
