"""Requests for consent at Spotify that are under way: who asked, for whom, and until when the answer counts."""

from __future__ import annotations

import time
from dataclasses import dataclass
from urllib.parse import urlsplit

from polling.spotify_grant import Consent
from service.settings import ServiceSettings

CALLBACK = "/callback"
VALID_SECONDS, MOST = 600.0, 50
EVERY_ADDRESS = {"127.0.0.1": ("127.0.0.1", "localhost", "0.0.0.0"), "::1": ("::1", "::")}  # noqa: S104 - compared, not bound


@dataclass(frozen=True)
class Pending:
    """A request that waits for its answer."""

    consent: Consent
    person: str
    """who asked: nobody else's answer counts, or somebody could be led to connect their account to another listener"""
    listener: str
    origin: str
    """where the service was open in their browser, whose cookie is that name's"""
    comes_back: bool
    """whether the browser comes back here by itself, where it is on this machine"""
    until: float


class Consents:
    """The pending requests, by their state."""

    def __init__(self) -> None:
        self._pending: dict[str, Pending] = {}

    def add(self, consent: Consent, person: str, listener: str, origin: str, *, comes_back: bool) -> None:
        """Wait for the answer to a request; the oldest ones are given up where there are too many."""
        now = time.monotonic()
        self._pending = {state: one for state, one in self._pending.items() if one.until > now}
        while len(self._pending) >= MOST:
            del self._pending[next(iter(self._pending))]
        self._pending[consent.state] = Pending(consent, person, listener, origin, comes_back, now + VALID_SECONDS)

    def find(self, state: str) -> Pending | None:
        """None for a request that is unknown or too old."""
        pending = self._pending.get(state)
        return pending if pending is not None and pending.until > time.monotonic() else None

    def end(self, state: str) -> None:
        """Its code was used, or the person said no."""
        self._pending.pop(state, None)


def redirect_of(redirect_uri: str, settings: ServiceSettings) -> tuple[str, bool]:
    """The address that Spotify sends the browser to, and whether the service itself answers there.

    It does where REDIRECT_URI has the path CALLBACK, and no port (Spotify then takes any) or the service's. Raises ValueError.
    """
    parts = urlsplit(redirect_uri)
    host = parts.hostname or ""
    is_own = parts.path == CALLBACK and parts.port in (None, settings.serve_port)
    if not is_own or settings.serve_host not in EVERY_ADDRESS.get(host, ()):
        return redirect_uri, False
    return f"http://{f'[{host}]' if ':' in host else host}:{settings.serve_port}{CALLBACK}", True
