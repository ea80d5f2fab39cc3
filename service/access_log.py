"""The log of the service: one line a request, without its query, which may hold the key of a link."""

from __future__ import annotations

import datetime as dt
import logging
import sys
import time
from http import HTTPStatus

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from scheduling.log import AsJson, AsText

log = logging.getLogger("service")
LOGGERS = ("service", "uvicorn.error")
# Players send something with each track; what was acknowledged stands in a journal, or was only a question.
QUIET = "/1/"


class AccessLog:
    """Logs method, path, status and seconds of every request once it is answered, but not what players do every few minutes."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        began, status = time.monotonic(), 500

        async def seen(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self.app(scope, receive, seen)
        finally:
            if status != HTTPStatus.OK or not scope["path"].startswith(QUIET):
                seconds = round(time.monotonic() - began, 3)
                values = {"method": scope["method"], "path": scope["path"][:200], "status": status, "seconds": seconds}
                text = "%(method)s %(path)s %(status)s %(seconds)s s"
                log.info(text, values, extra={"event": "request", "values": values})


def start_log() -> None:
    """Write the log to standard error: text on a terminal, a JSON object a line elsewhere."""
    handler = logging.StreamHandler(sys.stderr)
    kind = AsText if sys.stderr.isatty() else AsJson
    handler.setFormatter(kind(lambda: dt.datetime.now(dt.timezone.utc)))
    for name in LOGGERS:
        logger = logging.getLogger(name)
        logger.handlers[:] = [handler]
        logger.setLevel(logging.INFO)
        logger.propagate = False
    # It names every request it cannot read; the service's own lines say when it starts and ends.
    logging.getLogger("uvicorn.error").setLevel(logging.WARNING)
