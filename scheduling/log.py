"""The log of the scheduler: one JSON object a line, or text where a person looks at a terminal. No secret passes it."""

from __future__ import annotations

import datetime as dt
import json
import logging
import os
import re
import sys
from collections.abc import Callable
from typing import Any, TextIO

from lakehouse.cli.here import typed
from lakehouse.cli.sanitize import CONTROL
from polling.redaction import HIDDEN, Redaction
from scheduling.results import Line

log = logging.getLogger("scheduler")
SECRETS = ("CLIENT_SECRET", "LASTFM_API_KEY", "LISTENBRAINZ_TOKEN")
# The commands hide their secrets themselves. A crash of a library may still show an address or a header.
PAIR = re.compile(
    r"(?i)\b(api_key|api_sig|access_token|refresh_token|client_secret|code_verifier|token|sk)(=|[\"']?: ?[\"'])[^\s&\"',}]+"
)
HEADER = re.compile(r"(?i)\b(bearer|basic|token) [\w.~+/=-]{12,}")


def without_secrets(text: str) -> str:
    """The text without what looks like a secret, and without those of the environment."""
    hide = Redaction.of(os.environ.get(name, "") for name in SECRETS)
    return HEADER.sub(rf"\1 {HIDDEN}", PAIR.sub(rf"\1\2{HIDDEN}", hide(text)))


class AsJson(logging.Formatter):
    """One object a line: time, level, event, message, and the values of the event."""

    def __init__(self, now: Callable[[], dt.datetime]) -> None:
        super().__init__()
        self._now = now

    def format(self, record: logging.LogRecord) -> str:
        values = {name: _clean(value) for name, value in getattr(record, "values", {}).items()}
        line = {
            "time": _iso(self._now()),
            "level": record.levelname.lower(),
            "event": getattr(record, "event", record.name),
            "message": typed(_clean(record.getMessage())),
        }
        if record.exc_info:
            line["trace"] = _clean(self.formatException(record.exc_info))
        return json.dumps({**line, **{name: value for name, value in values.items() if name not in line}}, default=_iso)


class AsText(logging.Formatter):
    """Local time, level where it is one to look at, and the message on one line."""

    def __init__(self, now: Callable[[], dt.datetime]) -> None:
        super().__init__()
        self._now = now

    def format(self, record: logging.LogRecord) -> str:
        level = f"{record.levelname.lower()}: " if record.levelno >= logging.WARNING else ""
        trace = f"\n{without_secrets(self.formatException(record.exc_info))}" if record.exc_info else ""
        text = CONTROL.sub(" ", typed(without_secrets(record.getMessage())))
        return f"{self._now().astimezone():%Y-%m-%d %H:%M:%S} {level}{text}{trace}"


def start_log(stream: TextIO | None, now: Callable[[], dt.datetime]) -> None:
    """Write the scheduler's log to the stream (standard error)."""
    stream = stream or sys.stderr
    handler = logging.StreamHandler(stream)
    handler.setFormatter(AsText(now) if stream.isatty() else AsJson(now))
    log.handlers[:] = [handler]
    log.setLevel(logging.INFO)
    log.propagate = False


def write(line: Line) -> None:
    """Log a line."""
    log.log(line.level, "%s", line.message, extra={"event": line.event, "values": line.values})


def say(event: str, message: str, **values: Any) -> None:
    """Log a usual line."""
    write(Line(logging.INFO, event, message, values))


def warn(event: str, message: str, **values: Any) -> None:
    """Log something that a person should see."""
    write(Line(logging.WARNING, event, message, values))


def _iso(moment: dt.datetime) -> str:
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _clean(value: Any) -> Any:
    return without_secrets(value) if isinstance(value, str) else value
