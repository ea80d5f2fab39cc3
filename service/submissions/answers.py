"""Answers as ListenBrainz gives them, which players read by their `code` and `status`.

Navidrome drops a play for any `code` other than 0, 200, 500 and 503, whatever the status: what may be sent again is a 503.
"""

from __future__ import annotations

from starlette.responses import JSONResponse

TRY_AGAIN_SECONDS = 60


class RefusedError(Exception):
    """A request that gets an error; the message says why."""

    def __init__(self, status: int, message: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(message)
        self.status, self.headers = status, headers

    def answer(self) -> JSONResponse:
        """The error as players read it."""
        return JSONResponse({"code": self.status, "error": str(self)}, self.status, self.headers)


def not_now(message: str, seconds: int = TRY_AGAIN_SECONDS, *, close: bool = False) -> RefusedError:
    """What is no fault of the player: it sends the same again."""
    return RefusedError(503, message, {"Retry-After": str(seconds), **({"Connection": "close"} if close else {})})
