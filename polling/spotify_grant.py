"""A consent that a person is asked for at Spotify (Authorization Code with PKCE): link, code, token, account, private file.

Nothing here speaks with the person: a terminal does, or a page.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from typing import Any

from lakehouse.cli.sanitize import CONTROL
from polling.answers import AccountRefused, PollError
from polling.pace import SystemClock
from polling.settings import SpotifySettings
from polling.spotify_access import NOT_A_USER, SCOPE, SOURCE, api, authorization, client_id_of
from polling.strict_session import ExchangeError, StrictSession
from polling.tokens import Token, TokenStore, lifetime

NOTHING_STORED = "nothing is stored; connect the account again"


class OtherListenerError(Exception):
    """The account is connected already, for another listener, whose the plays so far are."""

    def __init__(self, listener: str, account_id: str) -> None:
        super().__init__(f"this account already belongs to listener {listener}, as do the plays received so far")
        self.listener, self.account_id = listener, account_id


def new_state() -> str:
    """What nobody can guess, and so nobody else can put into an answer."""
    return secrets.token_urlsafe(32)


class Consent:
    """One request for consent. It holds the verifier that its code is worth nothing without, so it has to outlive the walk."""

    def __init__(self, settings: SpotifySettings, redirect_uri: str, state: str) -> None:
        """`state` is what the answer has to repeat; see `new_state`. Raises PollError without a client id."""
        self._settings, self._session = settings, StrictSession(settings.spotify_request_seconds)
        self._answers: list[Mapping[str, Any]] = []
        self.state = state
        self._manager = authorization(settings, self._session, redirect_uri, self._answers.append, self.state)
        self.link: str = self._manager.get_authorize_url()
        """where the person agrees"""

    def token(self, code: str, listener: str, *, keeps_listener: bool) -> Token:
        """Exchange the code, store the token under the account's id, and return it.

        An account that is connected already stays its listener's: without a word if it `keeps_listener`. Raises AccountRefused,
        PollError, OtherListenerError, and OSError for a token that cannot be written.
        """
        _told(lambda: self._manager.get_access_token(code, check_cache=False))
        answer = _checked(self._answers[-1])
        # The six months count by the server's clock, the access token's hour by ours.
        now = SystemClock().now()
        consented_at = self._session.server_date or now
        profile = _profile(self._settings, self._session, answer["access_token"])
        store = TokenStore(self._settings.state_dir, SOURCE)
        account_id = _account_id(profile, store)
        with store.locked(account_id):
            token = Token(
                source=SOURCE,
                account_id=account_id,
                listener=_listener(store, account_id, listener, keeps_listener=keeps_listener),
                name=CONTROL.sub(" ", str(profile.get("display_name") or ""))[:100],
                client_id=client_id_of(self._settings),
                scope=answer["scope"],
                refresh_token=answer["refresh_token"],
                access_token=answer["access_token"],
                expires_at=now + answer["lifetime"],
                consented_at=consented_at,
            )
            store.write(token)
        return token


def _told(call: Callable[[], Any]) -> Any:
    """The result of a call of spotipy. Raises PollError and AccountRefused for every failure."""
    from spotipy.exceptions import SpotifyBaseException

    try:
        return call()
    except ExchangeError as error:
        if error.status == 403:
            raise AccountRefused(f"Spotify: {error}", NOT_A_USER) from error
        raise PollError(f"Spotify: {error}; {NOTHING_STORED}") from error
    except SpotifyBaseException as error:
        raise PollError(f"Spotify: {error}; {NOTHING_STORED}") from error
    except (KeyError, TypeError) as error:  # spotipy, for an answer without a number in expires_in
        raise PollError(f"Spotify: the answer holds no usable token; {NOTHING_STORED}") from error


def _checked(answer: Mapping[str, Any]) -> dict[str, Any]:
    """The answer, if it holds a token that lasts, with the scope that was asked for. Raises PollError."""
    if not all(isinstance(answer.get(name), str) and answer[name] for name in ("access_token", "refresh_token")):
        raise PollError(f"Spotify: the answer holds no token that can be renewed; {NOTHING_STORED}")
    valid = lifetime(answer.get("expires_in"))
    if valid is None:
        raise PollError(f"Spotify: the answer does not say how long its token is valid; {NOTHING_STORED}")
    # The scope may be left out where it is the one that was asked for (RFC 6749, 5.1).
    scope = str(answer.get("scope") or SCOPE)
    if SCOPE not in scope.split():
        raise PollError(f"Spotify: the consent does not cover {SCOPE}; {NOTHING_STORED}")
    return {**answer, "scope": scope, "lifetime": valid}


def _profile(settings: SpotifySettings, session: StrictSession, access_token: str) -> dict[str, Any]:
    client = api(settings, session)
    client.set_auth(access_token)
    profile = _told(client.current_user)
    if not isinstance(profile, dict):
        raise PollError(f"Spotify: the answer does not say whose account this is; {NOTHING_STORED}")
    return profile


def _account_id(profile: Mapping[str, Any], store: TokenStore) -> str:
    """The account's immutable id; the one that it is stored by, should Spotify have named only the other one then."""
    ids = [value for name in ("account_id", "id") if isinstance(value := profile.get(name), str) and value]
    if not ids:
        raise PollError(f"Spotify: the answer does not say whose account this is; {NOTHING_STORED}")
    return next((one for one in ids if store.path(one).is_file()), ids[0])


def _listener(store: TokenStore, account_id: str, listener: str, *, keeps_listener: bool) -> str:
    """Whose account it is. Raises OtherListenerError for one that another listener has: the plays so far are theirs."""
    # A token that cannot be read is replaced.
    known = None if account_id in store.unreadable() else store.read(account_id)
    if known is None or known.listener == listener:
        return listener
    if not keeps_listener:
        raise OtherListenerError(known.listener, account_id)
    return known.listener
