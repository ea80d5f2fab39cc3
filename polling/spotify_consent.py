"""The walk to a token of Spotify: consent in a browser (Authorization Code with PKCE), token, account, private file."""

from __future__ import annotations

import secrets
import webbrowser
from collections.abc import Callable, Mapping
from typing import Any

from rich.console import Console

from lakehouse.cli.errors import UsageError, print_error
from lakehouse.cli.sanitize import CONTROL
from polling.answers import AccountRefused, PollError
from polling.pace import SystemClock
from polling.redirect import Receiver, RedirectError, code_of
from polling.settings import SpotifySettings
from polling.spotify_access import NOT_A_USER, SCOPE, SOURCE, api, authorization, client_id_of
from polling.strict_session import ExchangeError, StrictSession
from polling.tokens import Token, TokenStore, lifetime

WAIT_SECONDS = 600.0
PASTES = 3
NOTHING_STORED = "nothing is stored; run `lakehouse connect spotify` again"


def connect(settings: SpotifySettings, console: Console, *, is_named: bool, is_pasted: bool) -> Token:
    """Ask for consent, get a token, store it under the account's id; returns it.

    An account that is connected already keeps its listener; where one `is_named`, it must be that. Raises UsageError for another
    listener or a port in use, AccountRefused and PollError, OSError for a token that cannot be written.
    """
    session = StrictSession(settings.spotify_request_seconds)
    answer = _consent(settings, console, session, is_pasted=is_pasted)
    # The six months count by the server's clock, the access token's hour by ours.
    now, consented_at = SystemClock().now(), session.server_date or SystemClock().now()
    profile = _profile(settings, session, answer["access_token"])
    store = TokenStore(settings.state_dir, SOURCE)
    account_id = _account_id(profile, store)
    with store.locked(account_id):
        token = Token(
            source=SOURCE,
            account_id=account_id,
            listener=_listener(store, account_id, settings, is_named),
            name=CONTROL.sub(" ", str(profile.get("display_name") or ""))[:100],
            client_id=client_id_of(settings),
            scope=answer["scope"],
            refresh_token=answer["refresh_token"],
            access_token=answer["access_token"],
            expires_at=now + answer["lifetime"],
            consented_at=consented_at,
        )
        store.write(token)
    _announce(console, token, store)
    return token


def _consent(settings: SpotifySettings, console: Console, session: StrictSession, *, is_pasted: bool) -> dict[str, Any]:
    """The accounts service's answer to the consent, checked."""
    answers: list[Mapping[str, Any]] = []
    state = secrets.token_urlsafe(32)
    try:
        receiver = Receiver(settings.redirect_uri, state)
    except OSError as error:
        raise UsageError(
            f"the port of REDIRECT_URI {settings.redirect_uri} is in use; end the program that uses it, or register "
            "http://127.0.0.1/callback, without a port, for any free port"
        ) from error
    with receiver:
        # One object for both steps: it holds the verifier that the code is worth nothing without.
        manager = authorization(settings, session, receiver.redirect_uri, answers.append, state)
        link = manager.get_authorize_url()
        code = _pasted(console, link, state) if is_pasted else _redirected(console, link, receiver)
    _told(lambda: manager.get_access_token(code, check_cache=False))
    return _checked(answers[0])


def _redirected(console: Console, link: str, receiver: Receiver) -> str:
    console.print("A browser opens: log in to Spotify there and agree. If none opens, open this link on this machine:")
    console.print(link, markup=False)
    webbrowser.open(link)
    return receiver.wait(WAIT_SECONDS)


def _pasted(console: Console, link: str, state: str) -> str:
    """The code of the address that a person pastes. Raises PollError after some that cannot be used, or at the end of input."""
    console.print("Open this link in a browser, on any machine, log in to Spotify and agree:")
    console.print(link, markup=False)
    console.print("The browser then shows a page that it cannot load. That is fine: copy its whole address from the address bar.")
    for _ in range(PASTES):
        try:
            address = input("Paste the address: ")
        except EOFError:
            break
        try:
            return code_of(address, state)
        except RedirectError as error:
            print_error(str(error))
    raise PollError(f"no address that could be used; {NOTHING_STORED}")


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


def _listener(store: TokenStore, account_id: str, settings: SpotifySettings, is_named: bool) -> str:
    """Whose account it is. Raises UsageError for one that another listener has: the plays so far are theirs."""
    # A token that cannot be read is replaced.
    known = None if account_id in store.unreadable() else store.read(account_id)
    if known is None or known.listener == settings.user:
        return settings.user
    if is_named:
        raise UsageError(
            f"this account already belongs to listener {known.listener}, as do the plays received so far; "
            f"to give it to {settings.user} from now on, remove {store.path(account_id)} and connect again"
        )
    return known.listener


def _announce(console: Console, token: Token, store: TokenStore) -> None:
    console.print(f"connected: Spotify account {token.name or token.account_id} is listener {token.listener}", markup=False)
    console.print(f"The consent lasts until {token.consent_ends:%Y-%m-%d}. Token: {store.path(token.account_id)}", markup=False)
    others = [one for one in store.accounts() if one.listener == token.listener and one.account_id != token.account_id]
    for other in others:
        name = other.name or other.account_id
        console.print(f"note: listener {token.listener} also has the account {name}; the plays of both count", markup=False)
