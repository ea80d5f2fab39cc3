"""Corrections: names of a listener that are probably one, to accept or to reject, and the lines that were accepted."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from service.corrections import Corrections, CorrectionsError, Suggestion, Suggestions
from service.private_file import PrivateFileError
from service.rendering import Link, page, person_of, shown_listener
from service.security import checked_form

PATH = "/corrections"
ACCEPT, REJECT, TAKE_BACK, AGAIN = (f"{PATH}/{word}" for word in ("accept", "reject", "take-back", "again"))
MENU = (Link(PATH, "Corrections"),)
SHOWN = 50
FAILURES = (CorrectionsError, PrivateFileError, OSError)


async def show(request: Request) -> Response:
    """What is suggested, and what was accepted."""
    listener = shown_listener(request)
    suggestions: Suggestions = request.app.state.suggestions
    corrections: Corrections = request.app.state.corrections
    problem, status, values = None, 200, dict[str, Any](open=[], lines=[], rejected=0)
    try:
        values["lines"] = await run_in_threadpool(corrections.accepted, listener)
        values["rejected"] = await run_in_threadpool(corrections.rejected, listener)
        values["open"] = await run_in_threadpool(corrections.open, listener, await suggestions.of(listener))
    except FAILURES as error:
        problem, status = str(error), 500
    person = person_of(request)
    people = request.app.state.people.all() if person.is_admin else []
    values |= {"listener": listener, "people": people, "problem": problem, "shown": SHOWN}
    return page(request, "corrections.html", status=status, title="Corrections", **values)


async def accept(request: Request) -> Response:
    """Write the line of a suggestion into the listener's file."""
    listener, suggestion = await _chosen(request)
    await _done(request.app.state.corrections.accept, listener, suggestion)
    return _back(listener)


async def reject(request: Request) -> Response:
    """Remember that a suggestion is wrong."""
    listener, suggestion = await _chosen(request)
    await _done(request.app.state.corrections.reject, listener, suggestion)
    return _back(listener)


async def take_back(request: Request) -> Response:
    """Remove a line from the listener's file."""
    listener, form = shown_listener(request), await checked_form(request)
    if not await _done(request.app.state.corrections.take_back, listener, str(form.get("line", ""))):
        raise HTTPException(404, "There is no such line any more.")
    return _back(listener)


async def again(request: Request) -> Response:
    """Suggest what was rejected once more."""
    listener = shown_listener(request)
    await checked_form(request)
    await _done(request.app.state.corrections.forget_rejections, listener)
    return _back(listener)


async def _chosen(request: Request) -> tuple[str, Suggestion]:
    """The listener and the suggestion that a form is about. Only what was found for that listener can be chosen."""
    listener, form = shown_listener(request), await checked_form(request)
    suggestions: Suggestions = request.app.state.suggestions
    try:
        every = await suggestions.of(listener)
    except FAILURES as error:
        raise HTTPException(503, str(error)) from error
    found = next((one for one in every if one.key == form.get("suggestion")), None)
    if found is None:
        raise HTTPException(404, "That is not suggested any more.")
    return listener, found


async def _done(change: Any, *arguments: Any) -> Any:
    try:
        return await run_in_threadpool(change, *arguments)
    except FAILURES as error:
        raise HTTPException(503, f"Nothing was changed: {error}") from error


def _back(listener: str) -> Response:
    return RedirectResponse(f"{PATH}?{urlencode({'listener': listener})}", 303)


ROUTES = [
    Route(PATH, show, methods=["GET"]),
    Route(ACCEPT, accept, methods=["POST"]),
    Route(REJECT, reject, methods=["POST"]),
    Route(TAKE_BACK, take_back, methods=["POST"]),
    Route(AGAIN, again, methods=["POST"]),
]
