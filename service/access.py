"""Who asks without a log-in: a token of scope read, of a person of the service; or this machine."""

from __future__ import annotations

from pathlib import Path

from starlette.requests import Request

from service.api_errors import ApiError
from service.api_tokens import READ, Granted, TooManyGuessesError, checked
from service.people import People, Person

CHALLENGE = {"WWW-Authenticate": 'Bearer realm="listening lakehouse"'}
LOOPBACK = ("127.", "::1", "::ffff:127.")
RELAYED = ("forwarded", "x-forwarded-for", "x-real-ip", "via")


def reader(request: Request) -> Person:
    """Who presents a token of scope read. Raises ApiError (401, 403, 429) and TokensError."""
    granted = _granted(request)
    if granted.scope != READ:
        raise ApiError(403, f"this token is of scope {granted.scope}; issue one of scope {READ}")
    people: People = request.app.state.people
    known = people.find(granted.user_id)
    if known is None:
        raise ApiError(401, "the listener of this token is no person of this service any more", headers=CHALLENGE)
    return known.person


def _granted(request: Request) -> Granted:
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise ApiError(401, "send a token of scope read as `Authorization: Bearer TOKEN`", headers=CHALLENGE)
    try:
        granted = checked(_state_dir(request), token.strip(), client_of(request))
    except TooManyGuessesError as error:
        raise ApiError(429, str(error), headers={"Retry-After": str(error.retry_after)}) from error
    if granted is None:
        raise ApiError(401, "this token is not valid; it may have been revoked", headers=CHALLENGE)
    return granted


def client_of(request: Request) -> str:
    """The address that the connection comes from; a header that names another is not believed."""
    return "" if request.client is None else request.client.host


def is_of_this_machine(request: Request) -> bool:
    """Whether the request comes from this machine, and no proxy here says that it relays it for somebody else."""
    is_relayed = any(name in request.headers for name in RELAYED)
    return client_of(request).startswith(LOOPBACK) and not is_relayed


def _state_dir(request: Request) -> Path:
    folder: Path = request.app.state.settings.state_dir
    return folder
