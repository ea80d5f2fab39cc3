"""The log of a stream: one JSON object a line, or text where a person looks at a terminal. No secret passes it."""

from __future__ import annotations

import datetime as dt
import json
import logging
import sys
from typing import Any, TextIO

from lakehouse.cli.sanitize import CONTROL
from polling.redaction import Redaction

log = logging.getLogger("stream")


class _Lines(logging.Formatter):
    def __init__(self, hide: Redaction, *, as_json: bool) -> None:
        super().__init__()
        self._hide, self._as_json = hide, as_json

    def format(self, record: logging.LogRecord) -> str:
        message = self._hide(record.getMessage())
        moment = dt.datetime.fromtimestamp(record.created, dt.timezone.utc)
        if not self._as_json:
            level = f"{record.levelname.lower()}: " if record.levelno >= logging.WARNING else ""
            return f"{moment.astimezone():%Y-%m-%d %H:%M:%S} {level}{CONTROL.sub(' ', message)}"
        line = {
            "time": moment.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "level": record.levelname.lower(),
            "event": getattr(record, "event", "kafka"),
            "message": message,
        }
        return json.dumps({**line, **getattr(record, "values", {})})


def start_log(hide: Redaction, stream: TextIO | None = None) -> logging.Logger:
    """Write the log to the stream (standard error), without what `hide` hides."""
    stream = stream or sys.stderr
    handler = logging.StreamHandler(stream)
    handler.setFormatter(_Lines(hide, as_json=not stream.isatty()))
    log.handlers[:] = [handler]
    log.setLevel(logging.INFO)
    log.propagate = False
    return log


def say(event: str, message: str, *, level: int = logging.INFO, **values: Any) -> None:
    """Log a line: a message for people, and values for programs."""
    log.log(level, "%s", message, extra={"event": event, "values": values})


def warn(event: str, message: str, **values: Any) -> None:
    """Log what a person should see."""
    say(event, message, level=logging.WARNING, **values)
