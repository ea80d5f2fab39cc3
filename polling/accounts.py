"""Which accounts are polled: those with a token in the state folder, and those that settings name."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from importlib import import_module
from typing import Annotated, Any

from pydantic import Field, field_validator
from pydantic_settings import NoDecode

from lakehouse.settings import NAMES_REFUSED, is_person
from music.envelopes import LASTFM_API, LISTENBRAINZ_API, SPOTIFY_API
from music.settings import ListeningSettings
from polling.answers import PollError
from polling.stored_accounts import FILE, stored
from polling.visit import UNKNOWN, Account

# Not decoded by the settings library, whose message names no remedy.
Users = Annotated[dict[str, str], NoDecode]


class AccountSettings(ListeningSettings):
    """Whose accounts at Last.fm and ListenBrainz are read. Raises pydantic.ValidationError for a value that cannot be used."""

    lastfm_users: Annotated[Users, Field(validation_alias="LASTFM_USERS")] = Field(default_factory=dict)
    """account names by listener"""
    listenbrainz_users: Annotated[dict[str, str], NoDecode, Field(validation_alias="LISTENBRAINZ_USERS")] = Field(
        default_factory=dict
    )
    """account names by listener"""

    @field_validator("lastfm_users", "listenbrainz_users", mode="before")
    @classmethod
    def _parsed(cls, value: Any) -> Any:
        if not isinstance(value, str):
            return value
        try:
            return json.loads(value or "{}")
        except ValueError:
            raise ValueError('write it as JSON, the account by listener, like {"me": "my_account"}') from None

    @field_validator("lastfm_users", "listenbrainz_users")
    @classmethod
    def _names(cls, value: dict[str, str]) -> dict[str, str]:
        for listener, account in value.items():
            if not is_person(listener):
                raise ValueError(f"{listener!r} cannot be a listener's name ({NAMES_REFUSED})")
            if not account.strip():
                raise ValueError(f"the account of {listener!r} has no name")
        if len({account.lower() for account in value.values()}) < len(value):
            raise ValueError("two listeners cannot have one account")
        return value


def connected_accounts(settings: AccountSettings) -> list[Account]:
    """All accounts; their clients are made, and what they need is imported, once an account is polled.

    An account whose token cannot be read is one whose client cannot be made. Raises pydantic.ValidationError.
    """
    return [*_spotify(settings), *_scrobblers(settings)]


def _spotify(settings: AccountSettings) -> Iterator[Account]:
    if not (settings.state_dir / "tokens" / SPOTIFY_API).is_dir():
        return
    from polling.pace import Budget
    from polling.settings import SpotifySettings
    from polling.tokens import TokenStore

    own = SpotifySettings(state_dir=settings.state_dir)
    # Spotify counts the calls of an app, not those of an account.
    shared = Budget(own.spotify_calls, own.spotify_call_seconds)
    store = TokenStore(settings.state_dir, SPOTIFY_API)
    for token in store.accounts():
        client = partial(_client, "polling.spotify", "SpotifyClient", own, token.account_id, budget=shared)
        yield Account(SPOTIFY_API, token.account_id, token.listener, client, token.consented_at)
    for account_id, error in store.unreadable().items():
        yield Account(SPOTIFY_API, account_id, UNKNOWN, partial(_fail, error))


CLIENTS: Mapping[str, tuple[str, str]] = {
    LASTFM_API: ("polling.lastfm", "LastfmClient"),
    LISTENBRAINZ_API: ("polling.listenbrainz", "ListenbrainzClient"),
}
SCROBBLERS = tuple(CLIENTS)
"""Sources whose accounts are known by name alone."""


def named_in_settings(settings: AccountSettings, source: str) -> Mapping[str, str]:
    """Account names by listener, of a source of SCROBBLERS, as settings have them."""
    return settings.lastfm_users if source == LASTFM_API else settings.listenbrainz_users


def named_accounts(settings: AccountSettings, source: str) -> dict[str, str]:
    """Account names by listener: what people entered in the service, unless a setting says otherwise, and what settings name.

    Raises PollError where what was entered cannot be read.
    """
    fixed = named_in_settings(settings, source)
    taken = {account.lower() for account in fixed.values()}
    return {**{one: name for one, name in stored(settings.state_dir, source).items() if name.lower() not in taken}, **fixed}


def _scrobblers(settings: AccountSettings) -> Iterator[Account]:
    for source, (module, name) in CLIENTS.items():
        try:
            accounts: Mapping[str, str] = named_accounts(settings, source)
        except PollError as error:
            accounts = named_in_settings(settings, source)
            yield Account(source, FILE, UNKNOWN, partial(_fail, error))
        for listener, user in accounts.items():
            # Names are the same in any case there, and nothing else identifies an account.
            yield Account(source, user.lower(), listener, _scrobbler(module, name, user))


def _scrobbler(module: str, name: str, user: str) -> Callable[[], Any]:
    def make() -> Any:
        from polling.settings import ScrobbleSettings

        return _client(module, name, user, ScrobbleSettings())

    return make


def _client(module: str, name: str, *arguments: Any, **options: Any) -> Any:
    return getattr(import_module(module), name)(*arguments, **options)


def _fail(error: PollError) -> Any:
    raise error
