"""Templates that escape everything, and what every page shows: who is logged in, and where the other pages are."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.exceptions import HTTPException
from starlette.requests import HTTPConnection, Request
from starlette.responses import HTMLResponse

from lakehouse.cli.sanitize import CONTROL
from service.people import Person

FOLDER = Path(__file__).parent / "pages"
TEMPLATES, STATIC = FOLDER / "templates", FOLDER / "static"


class Link(NamedTuple):
    """A page in the menu."""

    path: str
    label: str


def page(
    connection: HTTPConnection, template: str, /, *, status: int = 200, headers: Mapping[str, str] | None = None, **values: Any
) -> HTMLResponse:
    """A template as an answer. Templates extend `base.html`, need `title`, and may use person, form_token, menu and path."""
    state = connection.state
    shared = {
        "person": getattr(state, "person", None),
        "form_token": getattr(state, "form_token", ""),
        "menu": connection.app.state.menu,
        "path": connection.url.path,
    }
    return HTMLResponse(environment().get_template(template).render(**{**shared, **values}), status, headers)


def person_of(request: Request) -> Person:
    """The person who asks; every page but the log-in has one."""
    person: Person | None = request.state.person
    if person is None:
        raise HTTPException(401, "You are not logged in. Log in and try again.")
    return person


def shown_listener(request: Request) -> str:
    """Whose data a page shows: that of the person who asks; the admin may name another with `?listener=NAME`.

    Raises HTTPException (403) when somebody else names another.
    """
    person = person_of(request)
    named = request.query_params.get("listener") or person.user_id
    if named != person.user_id and not person.is_admin:
        raise HTTPException(403, "That page is another listener's. Only they and the admin can see it.")
    return named


@cache
def environment() -> Environment:
    """The templates' environment, with filters `plain`, `moment` and `count`."""
    made = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    made.filters |= {"plain": plain, "moment": moment, "count": count}
    return made


def plain(value: object, length: int = 120) -> str:
    """A text from outside as one line, without control and direction characters, cut to `length`; the template escapes it."""
    text = CONTROL.sub(" ", "" if value is None else str(value))
    return text if len(text) <= length else f"{text[: length - 1]}…"


def moment(value: dt.datetime | str | None) -> str:
    """A time in UTC, to the minute."""
    if value is None:
        return "never"
    at = dt.datetime.fromisoformat(value) if isinstance(value, str) else value
    return f"{at.astimezone(dt.timezone.utc):%Y-%m-%d %H:%M} UTC"


def count(number: int, word: str) -> str:
    """A number with its word: 1 play, 2 plays."""
    return f"{number:,} {word}" if number == 1 else f"{number:,} {word}s"
