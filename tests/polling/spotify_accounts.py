"""Accounts that are connected to the Spotify of the tests, and the clock of their clients."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

from polling.pace import Budget
from polling.settings import SpotifySettings
from polling.spotify import SpotifyClient
from polling.tokens import Token, TokenStore
from tests.polling.spotify_server import SpotifyServer

START = dt.datetime(2026, 11, 30, 12, tzinfo=dt.timezone.utc)
CLIENT_ID = "app-of-the-tests"


class FakeClock:
    """Stands still, but for sleeping."""

    def __init__(self) -> None:
        self.moment, self.slept = START, 0.0

    def monotonic(self) -> float:
        return self.slept

    def now(self) -> dt.datetime:
        return self.moment

    def sleep(self, seconds: float) -> None:
        self.slept += seconds
        self.moment += dt.timedelta(seconds=seconds)


class Spotify:
    """The server with settings that lead to it, and the clients of its accounts."""

    def __init__(self, server: SpotifyServer, state_dir: Path) -> None:
        self.server, self.clock = server, FakeClock()
        server.now = self.clock.now
        self.settings = SpotifySettings(
            _env_file=None,
            client_id=CLIENT_ID,
            state_dir=state_dir,
            spotify_api_url=f"{server.url}/v1",
            spotify_accounts_url=server.url,
            spotify_request_seconds=5,
        )
        self.store = TokenStore(state_dir, "spotify_api")

    def connected(self, account_id: str, *plays: object, listener: str = "anna", **changes: object) -> SpotifyClient:
        """A client of a new account with these plays, newest first; `changes` are of its token."""
        self.server.add(account_id, *plays)
        granted = self.server.grant(account_id, CLIENT_ID)
        token = Token(
            source="spotify_api",
            account_id=account_id,
            listener=listener,
            name="Vega",
            client_id=CLIENT_ID,
            scope="user-read-recently-played",
            refresh_token=granted["refresh_token"],
            access_token=granted["access_token"],
            expires_at=START + dt.timedelta(hours=1),
            consented_at=START,
        )
        self.store.write(Token(**{**token.__dict__, **changes}))
        return self.client(account_id)

    def client(self, account_id: str, **settings: object) -> SpotifyClient:
        """Another client of an account."""
        return SpotifyClient(self.settings.model_copy(update=settings), account_id, budget=Budget(10_000, 1.0), clock=self.clock)
