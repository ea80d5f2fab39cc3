"""Who sends a request: the owner of the token in its header."""

from __future__ import annotations

import logging
import time
from collections import OrderedDict

from starlette.requests import Request

from service.api_tokens import Granted, TokensError, TooManyGuessesError, checked
from service.submissions.answers import RefusedError, not_now

# An import is hundreds of requests with one token. One that is revoked is refused after this long.
REMEMBERED_SECONDS, MOST_REMEMBERED = 1.0, 256

_logger = logging.getLogger(__name__)


class Remembered:
    """Tokens that were checked just now."""

    def __init__(self) -> None:
        self._granted: OrderedDict[str, tuple[float, Granted]] = OrderedDict()

    def find(self, token: str) -> Granted | None:
        """What it grants; None for one that has to be checked."""
        until, granted = self._granted.get(token, (0.0, None))
        return granted if time.monotonic() < until else None

    def note(self, token: str, granted: Granted) -> None:
        """Remember it for a moment."""
        self._granted[token] = time.monotonic() + REMEMBERED_SECONDS, granted
        self._granted.move_to_end(token)
        if len(self._granted) > MOST_REMEMBERED:
            self._granted.popitem(last=False)


def presented_token(request: Request) -> str:
    """From `Authorization: Token X`, in any case; empty where there is none."""
    words = request.headers.get("authorization", "").split()
    return words[1] if len(words) == 2 and words[0].lower() in ("token", "bearer") else ""


def checked_token(request: Request, token: str) -> Granted | None:
    """What a token grants; None for a wrong one. Raises RefusedError where it cannot be checked now."""
    state = request.app.state
    if not hasattr(state, "player_tokens"):
        state.player_tokens = Remembered()
    granted: Granted | None = state.player_tokens.find(token)
    if granted is not None:
        return granted
    try:
        granted = checked(state.settings.state_dir, token, request.client.host if request.client else "")
    except TooManyGuessesError as error:
        # The token was not looked at, and may be a good one, whose plays must not be dropped.
        raise not_now("too many wrong tokens came from this address; try again later", error.retry_after) from error
    except TokensError as error:
        _logger.error("%s", error)
        raise not_now("tokens cannot be checked now; the log of the service says why") from error
    if granted is not None:
        state.player_tokens.note(token, granted)
    return granted


def granted_to(request: Request, *scopes: str) -> Granted:
    """What the token of the request grants. Raises RefusedError for none, a wrong one, and one that is for another use."""
    token = presented_token(request)
    granted = checked_token(request, token) if token else None
    if granted is None:
        reason = "Invalid authorization token." if token else "You need to provide an Authorization header."
        raise RefusedError(401, reason, {"WWW-Authenticate": "Token"})
    if granted.scope not in scopes:
        raise RefusedError(403, f"this token is for another use ({granted.scope}); make one for players")
    return granted
