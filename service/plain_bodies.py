"""Bodies of a stated length, past h11: it copies every byte three times, and a large upload then takes twice as long."""

from __future__ import annotations

import h11
from h11._readers import ContentLengthReader
from uvicorn.protocols.http.flow_control import HIGH_WATER_LIMIT
from uvicorn.protocols.http.h11_impl import H11Protocol


class PlainBodyProtocol(H11Protocol):
    """Hands on what can only be the middle of a body; heads, chunked bodies and the end of a body are h11's, as ever."""

    def data_received(self, data: bytes) -> None:
        reader = self.conn._reader
        if (
            not isinstance(reader, ContentLengthReader)
            or self.conn.their_state is not h11.SEND_BODY
            or len(self.conn._receive_buffer)
            or len(data) >= reader._remaining
        ):
            super().data_received(data)
            return
        self._unset_keepalive_if_required()
        reader._remaining -= len(data)
        if self.cycle.response_complete:
            # The answer was early, and nobody reads what still comes.
            return
        self.cycle.body += data
        if len(self.cycle.body) > HIGH_WATER_LIMIT:
            self.flow.pause_reading()
        self.cycle.message_event.set()
