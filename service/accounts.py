"""The accounts of one listener at live sources: what is connected, how it fares, and how it is connected and disconnected."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any

from music.envelopes import LASTFM_API, LISTENBRAINZ_API, SPOTIFY_API
from polling.account_rows import account_rows, state_files
from polling.accounts import SCROBBLERS, AccountSettings, named_accounts, named_in_settings
from polling.answers import PollError
from polling.inbox_files import poll_files
from polling.places import AccountPlace
from polling.state import BusyError, locked
from polling.stored_accounts import TakenError, remove, store
from polling.tokens import Token, TokenStore
from service.settings import ServiceSettings

LABELS = {SPOTIFY_API: "Spotify", LASTFM_API: "Last.fm", LISTENBRAINZ_API: "ListenBrainz"}
LONGEST_NAME = 100


class AccountError(PollError):
    """An account that cannot be connected or disconnected; the message says why and what to do."""


@dataclass(frozen=True)
class Connected:
    """An account of a listener."""

    source: str
    label: str
    account_id: str
    name: str
    """as people see it"""
    is_fixed: bool
    """whether a setting names it, so that only a change of the setting disconnects it"""
    state: dict[str, Any] | None
    """a row of ops.poll_state; None before the first poll"""


def settings_of(settings: ServiceSettings) -> AccountSettings:
    """What the service's settings say of accounts. Raises pydantic.ValidationError."""
    return AccountSettings(state_dir=settings.state_dir)


def connected(settings: ServiceSettings, listener: str, now: dt.datetime) -> list[Connected]:
    """The accounts of a listener. Raises PollError and OSError."""
    inbox = settings.inbox_folder
    rows = account_rows(state_files(inbox), now) if inbox.is_dir() else []
    states = {(row["source"], row["account_id"]): row for row in rows if row.get("user_id") == listener}
    accounts = settings_of(settings)
    found = [(SPOTIFY_API, one.account_id, one.name or one.account_id, False) for one in _tokens(settings, listener)]
    for source in SCROBBLERS:
        name = named_accounts(accounts, source).get(listener)
        if name is not None:
            found.append((source, name.lower(), name, listener in named_in_settings(accounts, source)))
    return [Connected(one[0], LABELS[one[0]], *one[1:], states.get((one[0], one[1]))) for one in found]


def connect_by_name(settings: ServiceSettings, source: str, listener: str, name: str) -> None:
    """Note a listener's account at Last.fm or ListenBrainz. Raises AccountError, PollError and OSError."""
    name = name.strip()
    if source not in SCROBBLERS:
        raise AccountError("Choose Last.fm or ListenBrainz.")
    if not name or len(name) > LONGEST_NAME or not name.isprintable() or "/" in name:
        raise AccountError(f"Enter the name of your account at {LABELS[source]}, as its page has it.")
    accounts = settings_of(settings)
    if listener in named_in_settings(accounts, source):
        raise AccountError(f"A setting names your account at {LABELS[source]}. The admin can change it there.")
    owners = {account.lower(): owner for owner, account in named_accounts(accounts, source).items()}
    before = _listener_of_plays(AccountPlace(settings.inbox_folder, source, name.lower()))
    taken = AccountError(f"That account at {LABELS[source]} belongs to another listener here. Ask the admin.")
    if owners.get(name.lower(), listener) != listener or before not in (None, listener):
        raise taken
    try:
        store(settings.state_dir, source, listener, name)
    except TakenError:
        raise taken from None


def disconnect(settings: ServiceSettings, source: str, listener: str, account_id: str) -> None:
    """Stop reading an account of the listener: token or name go, and what polls know of it; its plays stay.

    Raises AccountError, PollError and OSError.
    """
    one = next(
        (one for one in connected(settings, listener, _now()) if (one.source, one.account_id) == (source, account_id)), None
    )
    if one is None:
        raise AccountError("That account is not connected.")
    if one.is_fixed:
        raise AccountError("A setting names this account. The admin can remove it there.")
    place = AccountPlace(settings.inbox_folder, source, account_id)
    try:
        with locked(place):
            if source == SPOTIFY_API:
                tokens = TokenStore(settings.state_dir, source)
                with tokens.locked(account_id):
                    tokens.path(account_id).unlink(missing_ok=True)
            else:
                remove(settings.state_dir, source, listener)
            place.state.unlink(missing_ok=True)
    except BusyError as error:
        raise AccountError("The account is being read right now. Try again in a minute.") from error


def _tokens(settings: ServiceSettings, listener: str) -> list[Token]:
    return [token for token in TokenStore(settings.state_dir, SPOTIFY_API).accounts() if token.listener == listener]


def _listener_of_plays(place: AccountPlace) -> str | None:
    """The listener whose plays the account has told so far, as its latest poll file names them; None without one."""
    if not place.folder.is_dir():
        return None
    with poll_files(place) as files:
        return files[0].envelope().listener if files else None


def _now() -> dt.datetime:
    return dt.datetime.now(dt.timezone.utc)
