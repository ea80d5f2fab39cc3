"""The routes of the API: a request is checked, answered from one state of the tables, and tagged with that state."""

from __future__ import annotations

import hashlib
import json
import logging
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from pydantic import ValidationError
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from service.access import reader
from service.api.endpoints import ENDPOINTS, PREFIX, Endpoint
from service.api.openapi import document
from service.api.queries import ListenerQuery
from service.api.reading import NotThereError
from service.api.tables import Tables
from service.api_errors import PRIVATE, ApiError, invalid
from service.api_tokens import TokensError
from service.people import Person
from service.private_file import PrivateFileError
from service.submissions import now_playing

MOST_QUERY = 2048
METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"]
USERS = "silver.users"

_logger = logging.getLogger(__name__)
_description = json.dumps(document(), indent=1).encode()
# Another one for another release, whose answers may differ over the same tables.
_release = hashlib.sha256(_description).hexdigest()[:16]
Handler = Callable[[Request], Response]


def _guarded(handle: Handler) -> Handler:
    """Turns what can be expected to go wrong into an answer."""

    def handler(request: Request) -> Response:
        try:
            if request.method not in ("GET", "HEAD"):
                raise ApiError(405, "this API is read-only", headers={"Allow": "GET, HEAD"})
            return handle(request)
        except ApiError as problem:
            return problem.response()
        except (TokensError, PrivateFileError) as error:
            _logger.error("%s", error)
            return ApiError(503, "the service cannot check who asks; its log says why").response()
        except FileNotFoundError as error:
            # Only `forget` removes files that the version before still needs.
            _logger.warning("a file of a table was removed while it was read: %s", error)
            return ApiError(503, "the tables were being replaced; ask again", headers={"Retry-After": "1"}).response()

    return handler


def _answering(endpoint: Endpoint) -> Handler:
    def handler(request: Request) -> Response:
        person = reader(request)
        query = _asked(endpoint, request)
        listener = _listener(request, person, query)
        with closing(Tables(_root(request), endpoint.tables)) as tables:
            return _answer(request, endpoint, tables, listener, query)

    return _guarded(handler)


def _answer(request: Request, endpoint: Endpoint, tables: Tables, listener: str, query: ListenerQuery) -> Response:
    playing = now_playing.current(listener) if endpoint.is_live else None
    asked = (_release, tables.digest, endpoint.path, listener, query.model_dump_json(), repr(playing))
    tag = f'"{hashlib.sha256(repr(asked).encode()).hexdigest()[:32]}"'
    headers = {**PRIVATE, "ETag": tag}
    if tag in _tags(request):
        return Response(status_code=304, headers=headers)
    try:
        answer = endpoint.read(tables, listener, query, *([playing] if endpoint.is_live else []))
    except NotThereError as error:
        raise ApiError(404, str(error)) from error
    return Response(answer.model_dump_json(), 200, headers, "application/json")


def _asked(endpoint: Endpoint, request: Request) -> ListenerQuery:
    """The parameters of the request. Raises ApiError (400, 422)."""
    if len(request.scope["query_string"]) > MOST_QUERY:
        raise ApiError(400, f"the query is longer than {MOST_QUERY} characters")
    pairs = request.query_params.multi_items()
    repeated = sorted(name[:100] for name, times in Counter(name for name, _ in pairs).items() if times > 1)
    if repeated:
        raise ApiError(400, f"these parameters are there more than once: {', '.join(repeated)}")
    try:
        return endpoint.query.model_validate(dict(pairs))
    except ValidationError as error:
        raise invalid(error) from error


def _listener(request: Request, person: Person, query: ListenerQuery) -> str:
    """Whose figures are asked for. Raises ApiError (403, 404)."""
    if query.listener is None or query.listener == person.user_id:
        return person.user_id
    if not person.is_admin:
        # The same for a listener who exists and for one who does not.
        raise ApiError(403, "this token reads its own listener only")
    with closing(Tables(_root(request), [USERS])) as tables:
        if not tables.query(USERS, query.listener, "1"):
            raise ApiError(404, "there is no listener of that name")
    return query.listener


def _tags(request: Request) -> set[str]:
    return {tag.strip().removeprefix("W/") for tag in request.headers.get("if-none-match", "").split(",")}


def _root(request: Request) -> Path:
    folder: Path = request.app.state.settings.dir
    return folder


def _describe(request: Request) -> Response:
    tag = f'"{_release}"'
    headers = {"Cache-Control": "public, max-age=3600", "ETag": tag, "X-Content-Type-Options": "nosniff"}
    if tag in _tags(request):
        return Response(status_code=304, headers=headers)
    return Response(_description, 200, headers, "application/json")


def _unknown(request: Request) -> Response:
    raise ApiError(404, f"there is no such address; {PREFIX}/openapi.json lists them all")


ROUTES: list[BaseRoute] = [
    *[Route(PREFIX + endpoint.path, _answering(endpoint), methods=METHODS) for endpoint in ENDPOINTS],
    Route(f"{PREFIX}/openapi.json", _guarded(_describe), methods=METHODS),
    Route("/api/{path:path}", _guarded(_unknown), methods=METHODS),
]
