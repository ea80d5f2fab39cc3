"""Reading of request bodies within limits on bytes, on time, and on what all requests together hold in memory."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.requests import Request

from service.submissions.answers import RefusedError, not_now
from service.submissions.listens import MOST_BODY_BYTES

# Less than what the service grants any request, so that a slow player is told to try again and not that it is at fault.
BODY_SECONDS = 15.0
MOST_HELD_BYTES = 4 * MOST_BODY_BYTES


class Bodies:
    """The bodies of requests that are being answered."""

    def __init__(self, most_held: int = MOST_HELD_BYTES, seconds: float = BODY_SECONDS) -> None:
        self._most_held, self._seconds = most_held, seconds
        self._held = 0

    @asynccontextmanager
    async def read(self, request: Request) -> AsyncIterator[bytes]:
        """The body, counted until the context is left. Raises RefusedError."""
        body = bytearray()
        try:
            await self._fill(body, request)
            yield bytes(body)
        finally:
            self._held -= len(body)

    async def _fill(self, body: bytearray, request: Request) -> None:
        try:
            async with asyncio.timeout(self._seconds):
                async for part in request.stream():
                    self._held += len(part)
                    body += part
                    if len(body) > MOST_BODY_BYTES:
                        raise RefusedError(413, f"more than {MOST_BODY_BYTES} bytes in one request", {"Connection": "close"})
                    if self._held > self._most_held:
                        raise not_now("too many large requests at once", close=True)
        except TimeoutError as error:
            raise not_now(f"the request took longer than {self._seconds:.0f} s", close=True) from error
