"""Access to one Spotify account: its token, renewed when it is due, and nobody asked for consent while a poll runs."""

from __future__ import annotations

import datetime as dt
import logging
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from music.consent import command_for
from polling.answers import AccountRefused, PollError
from polling.pace import Clock
from polling.settings import SpotifySettings
from polling.strict_session import ExchangeError, StrictSession
from polling.tokens import Token, TokenStore

if TYPE_CHECKING:
    from spotipy import Spotify, SpotifyPKCE

SOURCE = "spotify_api"
SCOPE = "user-read-recently-played"
# A token that ends sooner could end on the way.
SPARE = dt.timedelta(seconds=60)
# After a refusal of the refresh token, false alarms being known: one more try the next day. An hour less than a day, so that
# a poll at the same time of the next day is that try.
NEXT_TRY = dt.timedelta(hours=23)
MOST_REFUSALS = 2
DASHBOARD = "https://developer.spotify.com/dashboard"
NOT_A_USER = (
    "in development mode, the owner of the app needs Premium and the account must be among the app's 5 users: "
    f"{DASHBOARD} > app > User Management"
)


def client_id_of(settings: SpotifySettings) -> str:
    """The application's id. Raises PollError without one."""
    if settings.client_id is None:
        raise PollError(f"CLIENT_ID is not set; create an app at {DASHBOARD} and put its client id into .env")
    return settings.client_id.get_secret_value()


def authorization(
    settings: SpotifySettings,
    session: StrictSession,
    redirect_uri: str,
    save: Callable[[Mapping[str, Any]], None],
    state: str = "",
) -> SpotifyPKCE:
    """Spotipy's authorization with PKCE against the configured accounts service; tokens that it gets go to `save`."""
    quiet_spotipy()
    from spotipy import CacheHandler, SpotifyPKCE

    class Cache(CacheHandler):  # type: ignore[misc]
        """Hands tokens on; spotipy never reads one, as it would ask a person for consent where it finds none."""

        def get_cached_token(self) -> None:
            return None

        def save_token_to_cache(self, token_info: Mapping[str, Any]) -> None:
            save(token_info)

    manager = SpotifyPKCE(
        client_id=client_id_of(settings),
        redirect_uri=redirect_uri,
        state=state,
        scope=SCOPE,
        cache_handler=Cache(),
        open_browser=False,
        requests_timeout=settings.spotify_request_seconds,
        requests_session=session,
    )
    manager.OAUTH_AUTHORIZE_URL = f"{settings.spotify_accounts_url}/authorize"
    manager.OAUTH_TOKEN_URL = f"{settings.spotify_accounts_url}/api/token"
    return manager


def api(settings: SpotifySettings, session: StrictSession) -> Spotify:
    """Spotipy's client against the configured service, without its own retries. Importing spotipy takes half a second."""
    quiet_spotipy()
    from spotipy import Spotify

    client = Spotify(requests_session=session, requests_timeout=settings.spotify_request_seconds, retries=0, status_retries=0)
    client.prefix = f"{settings.spotify_api_url}/"
    return client


def quiet_spotipy() -> None:
    """Keep spotipy from logging requests: at DEBUG it writes tokens."""
    for name in ("spotipy", "spotipy.client", "spotipy.oauth2", "spotipy.cache_handler", "spotipy.util"):
        logging.getLogger(name).setLevel(logging.WARNING)


class SpotifyAccess:
    """The access token of one account, from its file. Raises AccountRefused where only a person can help."""

    def __init__(self, settings: SpotifySettings, account_id: str, session: StrictSession, clock: Clock) -> None:
        self.settings, self.account_id, self.session, self.clock = settings, account_id, session, clock
        self.store = TokenStore(settings.state_dir, SOURCE)

    def token(self) -> Token:
        """The account's token as stored. Raises AccountRefused for an account that is not connected."""
        token = self.store.read(self.account_id)
        if token is None:
            raise AccountRefused(f"Spotify account {self.account_id} is not connected", "run `lakehouse connect spotify`")
        return token

    def access_token(self, *, refused: str | None = None) -> str:
        """An access token that is still valid; other than `refused`, which the API did not accept.

        Raises ExchangeError for a failure that passes, AccountRefused for a consent that is gone, PollError otherwise.
        """
        token = self.token()
        if self._is_usable(token, refused):
            return token.access_token
        with self.store.locked(self.account_id):
            token = self.token()
            # Another process may have renewed it meanwhile.
            return token.access_token if self._is_usable(token, refused) else self._refreshed(token).access_token

    def _is_usable(self, token: Token, refused: str | None) -> bool:
        return token.refused_at is None and token.access_token != refused and token.expires_at - self.clock.now() >= SPARE

    def _refreshed(self, token: Token) -> Token:
        """The renewed token, written. The caller holds the account's lock."""
        if token.client_id != client_id_of(self.settings):
            raise self.gone(token, "was connected by an app with another CLIENT_ID")
        if token.refused_at is not None and not self._may_try_again(token):
            raise self.gone(token, "has no valid consent any more (invalid_grant)")
        # The old refresh token may be void as soon as the new one is sent: first make sure that it can be written.
        self.store.write(token)
        renewed: list[Token] = []
        manager = authorization(
            self.settings,
            self.session,
            self.settings.redirect_uri,
            lambda answer: renewed.append(token.renewed(answer, self.clock.now())),
        )
        try:
            manager.refresh_access_token(token.refresh_token)
        except ExchangeError as error:
            raise self._judged(token, error) from error
        except (KeyError, TypeError) as error:  # spotipy, for an answer without a number in expires_in
            raise PollError(f"Spotify {token.account}: the answer holds no usable token; the next poll tries again") from error
        self.store.write(renewed[0])
        return renewed[0]

    def _may_try_again(self, token: Token) -> bool:
        now = self.clock.now()
        is_due = token.refused_at is not None and now >= token.refused_at + NEXT_TRY
        return is_due and token.refusals < MOST_REFUSALS and now < token.consent_ends

    def _judged(self, token: Token, error: ExchangeError) -> Exception:
        """What a refused refresh means. Only `invalid_grant` speaks of the consent; it is noted in the account's file."""
        if error.code == "invalid_grant":
            self.store.write(token.refused(self.clock.now()))
            return self.gone(token, "has no valid consent any more (invalid_grant)")
        if error.code in ("invalid_client", "unauthorized_client"):
            return AccountRefused(
                f"Spotify {token.account}: the app is refused ({error.code})", f"check CLIENT_ID against the app at {DASHBOARD}"
            )
        if not error.is_passing:
            return PollError(f"Spotify {token.account}: the token was not renewed: {error}; the next poll tries again")
        return error

    @staticmethod
    def gone(token: Token, why: str) -> AccountRefused:
        """That an account needs a new consent, with the command that asks for it."""
        return AccountRefused(f"Spotify {token.account} {why}", f"run `{command_for(SOURCE, token.listener)}`")
