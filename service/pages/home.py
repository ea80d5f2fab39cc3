"""The start page."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from service.rendering import Link, page, person_of

MENU = (Link("/", "Home"),)


async def home(request: Request) -> Response:
    """How the lakehouse is, for the one who asks."""
    person_of(request)
    return page(request, "home.html", title="Home")


ROUTES = [Route("/", home, methods=["GET"])]
