"""What is answered when something goes wrong: a page for people, JSON for programs; always with what to do."""

from __future__ import annotations

from collections.abc import Mapping

from starlette.exceptions import HTTPException
from starlette.requests import HTTPConnection, Request
from starlette.responses import JSONResponse, Response

from service.headers import HEADERS
from service.rendering import page

TITLES = {
    400: "That request cannot be answered",
    401: "Please log in",
    403: "You may not do that",
    404: "There is no such page",
    405: "That cannot be done here",
    408: "That took too long",
    413: "That is too large",
    429: "Too many attempts",
    500: "Something went wrong here",
    503: "Not possible right now",
    507: "The disk is full",
}
REMEDIES = {
    404: "Check the address, or go to the start page.",
    405: "Go back to the page and use its buttons.",
    500: "Nothing was lost. Try again; if it happens again, the service's log says why.",
}


def answer(connection: HTTPConnection, status: int, reason: str, headers: Mapping[str, str] | None = None) -> Response:
    """The answer to a request that cannot be served; JSON, unless the one who asks wants a page."""
    if "text/html" in connection.headers.get("accept", ""):
        title = TITLES.get(status, "That did not work")
        return page(connection, "error.html", status=status, headers=headers, title=title, reason=reason)
    return JSONResponse({"code": status, "error": reason}, status, headers)


def http_error(request: Request, error: Exception) -> Response:
    """For HTTPException: its detail, or what is usual for its status."""
    if not isinstance(error, HTTPException):
        raise error
    is_plain = error.detail == HTTPException(error.status_code).detail
    reason = REMEDIES.get(error.status_code, error.detail) if is_plain else error.detail
    return answer(request, error.status_code, reason, error.headers)


def server_error(request: Request, error: Exception) -> Response:
    """For any other exception, which the server logs."""
    # The middleware that adds these is inside of what calls this.
    return answer(request, 500, REMEDIES[500], HEADERS)
