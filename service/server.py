"""uvicorn as the service uses it."""

from __future__ import annotations

from starlette.types import ASGIApp
from uvicorn import Config

from service.protocol import TimedProtocol

KEEP_ALIVE_SECONDS, GRACE_SECONDS = 5, 5
# Of a head that comes in pieces.
LARGEST_HEAD = 16 * 2**10


def configuration(app: ASGIApp, protocol: type[TimedProtocol] = TimedProtocol) -> Config:
    """How uvicorn runs the application."""
    return Config(
        app,
        http=protocol,
        ws="none",
        log_config=None,
        access_log=False,
        server_header=False,
        # A forwarded address could be made up: nothing here depends on where a request comes from.
        proxy_headers=False,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=GRACE_SECONDS,
        h11_max_incomplete_event_size=LARGEST_HEAD,
    )
