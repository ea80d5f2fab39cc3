"""The walk to a token of Spotify in a terminal: consent in a browser, whose address comes back to a server here or is pasted."""

from __future__ import annotations

import webbrowser

from rich.console import Console

from lakehouse.cli.errors import UsageError, print_error
from polling.answers import PollError
from polling.redirect import Receiver, RedirectError, code_of
from polling.settings import SpotifySettings
from polling.spotify_access import SOURCE
from polling.spotify_grant import Consent, OtherListenerError, new_state
from polling.tokens import Token, TokenStore

WAIT_SECONDS = 600.0
PASTES = 3
NOTHING_STORED = "nothing is stored; run `lakehouse connect spotify` again"


def connect(settings: SpotifySettings, console: Console, *, is_named: bool, is_pasted: bool) -> Token:
    """Ask for consent, get a token, store it under the account's id; returns it.

    An account that is connected already keeps its listener; where one `is_named`, it must be that. Raises UsageError for another
    listener or a port in use, AccountRefused and PollError, OSError for a token that cannot be written.
    """
    consent, code = _consent(settings, console, is_pasted=is_pasted)
    try:
        token = consent.token(code, settings.user, keeps_listener=not is_named)
    except OtherListenerError as error:
        path = TokenStore(settings.state_dir, SOURCE).path(error.account_id)
        remedy = f"to give it to {settings.user} from now on, remove {path} and connect again"
        raise UsageError(f"{error}; {remedy}") from error
    _announce(console, token, TokenStore(settings.state_dir, SOURCE))
    return token


def _consent(settings: SpotifySettings, console: Console, *, is_pasted: bool) -> tuple[Consent, str]:
    """A consent that was given, and its code."""
    state = new_state()
    try:
        receiver = Receiver(settings.redirect_uri, state)
    except OSError as error:
        raise UsageError(
            f"the port of REDIRECT_URI {settings.redirect_uri} is in use; end the program that uses it, or register "
            "http://127.0.0.1/callback, without a port, for any free port"
        ) from error
    with receiver:
        consent = Consent(settings, receiver.redirect_uri, state)
        code = _pasted(console, consent.link, state) if is_pasted else _redirected(console, consent.link, receiver)
    return consent, code


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


def _announce(console: Console, token: Token, store: TokenStore) -> None:
    console.print(f"connected: Spotify account {token.name or token.account_id} is listener {token.listener}", markup=False)
    console.print(f"The consent lasts until {token.consent_ends:%Y-%m-%d}. Token: {store.path(token.account_id)}", markup=False)
    others = [one for one in store.accounts() if one.listener == token.listener and one.account_id != token.account_id]
    for other in others:
        name = other.name or other.account_id
        console.print(f"note: listener {token.listener} also has the account {name}; the plays of both count", markup=False)
