"""HTTP as uvicorn speaks it, for which a client must have sent the head of a request within ten seconds."""

from __future__ import annotations

import asyncio

import h11

from service.plain_bodies import PlainBodyProtocol

HEAD_SECONDS = 10.0


class TimedProtocol(PlainBodyProtocol):
    """Ends connections on which no whole head has come in time: uvicorn waits for it without end."""

    head_seconds = HEAD_SECONDS
    _head_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._watch_head()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self._watch_head()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_watching()
        super().connection_lost(exc)

    def _watch_head(self) -> None:
        """One deadline for a whole head, however often a piece of it comes; between requests uvicorn's own timeout counts."""
        if self.conn.their_state is not h11.IDLE:
            self._stop_watching()
        elif self._head_timer is None:
            self._head_timer = self.loop.call_later(self.head_seconds, self.transport.abort)

    def _stop_watching(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None
