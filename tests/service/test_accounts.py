"""Accounts that listeners connect by name, and whose they are; where the answer of Spotify comes back to."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path
from typing import Any

import pytest

from polling.accounts import AccountSettings, connected_accounts
from polling.answers import PollError
from polling.places import AccountPlace
from polling.state import AccountState, locked, save_state
from polling.stored_accounts import FILE, TakenError, store
from polling.tokens import Token, TokenStore
from service.accounts import AccountError, connect_by_name, connected, disconnect
from service.consents import redirect_of
from service.settings import ServiceSettings
from tests.polling.envelopes_of import envelope, spotify_body, spotify_play

NOW = dt.datetime(2026, 11, 30, 12, tzinfo=dt.timezone.utc)
LISTENBRAINZ, LASTFM, SPOTIFY = "listenbrainz_api", "lastfm_api", "spotify_api"


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ServiceSettings:
    monkeypatch.setenv("LISTENBRAINZ_USERS", json.dumps({"carl": "Carl1"}))
    places = {name: tmp_path / name for name in ("landing", "dir", "inbox", "state_dir")}
    return ServiceSettings(_env_file=None, **places)


def polled(settings: ServiceSettings) -> set[tuple[str, str, str]]:
    """Whom the next poll reads."""
    accounts = connected_accounts(AccountSettings(_env_file=None, state_dir=settings.state_dir))
    return {(one.source, one.account_id, one.listener) for one in accounts}


def names(settings: ServiceSettings, listener: str) -> list[tuple[str, str, bool]]:
    return [(one.source, one.name, one.is_fixed) for one in connected(settings, listener, NOW)]


def token(account_id: str, listener: str) -> Token:
    secrets = {"refresh_token": "r", "access_token": "a", "expires_at": NOW, "consented_at": NOW}
    return Token(SPOTIFY, account_id, listener, "Vega", "app", "scope", **secrets)


def test_a_name_is_polled_beside_those_of_settings_until_it_is_disconnected(settings: ServiceSettings) -> None:
    connect_by_name(settings, LISTENBRAINZ, "anna", " Anna ")
    connect_by_name(settings, LASTFM, "anna", "anna")
    of_carl = (LISTENBRAINZ, "carl1", "carl")
    assert polled(settings) == {of_carl, (LISTENBRAINZ, "anna", "anna"), (LASTFM, "anna", "anna")}
    assert names(settings, "anna") == [(LASTFM, "anna", False), (LISTENBRAINZ, "Anna", False)]
    assert (settings.state_dir / FILE).stat().st_mode & 0o777 == 0o600
    disconnect(settings, LASTFM, "anna", "anna")
    disconnect(settings, LISTENBRAINZ, "anna", "anna")
    assert (polled(settings), names(settings, "anna")) == ({of_carl}, [])


def test_an_account_of_another_listener_is_refused_without_saying_whose_it_is(settings: ServiceSettings) -> None:
    connect_by_name(settings, LISTENBRAINZ, "anna", "vega")
    place = AccountPlace(settings.inbox_folder, LISTENBRAINZ, "dora")
    (place.folder / "2026-11").mkdir(parents=True)
    content = envelope("listenbrainz_api", spotify_body(spotify_play("2026-11-29T21:04:05.123Z", 1)), range(1), listener="dora")
    (place.folder / "2026-11" / "00000001-20261129T220000Z.json").write_bytes(content.content())
    for name in ("VEGA", "carl1", "Dora"):
        with pytest.raises(AccountError, match="belongs to another listener here") as refused:
            connect_by_name(settings, LISTENBRAINZ, "ben", name)
        assert not any(owner in str(refused.value) for owner in ("anna", "carl", "dora"))
    connect_by_name(settings, LISTENBRAINZ, "anna", "Vega")
    connect_by_name(settings, LISTENBRAINZ, "dora", "dora")
    with pytest.raises(TakenError):
        store(settings.state_dir, LISTENBRAINZ, "ben", "vegA")


def test_a_setting_wins_over_what_was_entered_and_is_changed_by_the_admin_alone(settings: ServiceSettings) -> None:
    store(settings.state_dir, LISTENBRAINZ, "ben", "carl1")
    assert polled(settings) == {(LISTENBRAINZ, "carl1", "carl")}
    assert names(settings, "carl") == [(LISTENBRAINZ, "Carl1", True)]
    with pytest.raises(AccountError, match="A setting names your account"):
        connect_by_name(settings, LISTENBRAINZ, "carl", "other")
    with pytest.raises(AccountError, match="A setting names this account"):
        disconnect(settings, LISTENBRAINZ, "carl", "carl1")


@pytest.mark.parametrize("name", ["", "  ", "a/b", "a\nb", "x" * 101])
def test_what_cannot_be_a_name_is_refused(settings: ServiceSettings, name: str) -> None:
    with pytest.raises(AccountError, match="Enter the name"):
        connect_by_name(settings, LISTENBRAINZ, "anna", name)


def test_a_listener_disconnects_their_own_account_and_its_plays_stay(settings: ServiceSettings) -> None:
    tokens = TokenStore(settings.state_dir, SPOTIFY)
    for account_id, listener in (("A1", "anna"), ("B1", "ben")):
        tokens.write(token(account_id, listener))
        place = AccountPlace(settings.inbox_folder, SPOTIFY, account_id)
        place.folder.mkdir(parents=True)
        (place.folder / "plays").write_text("plays")
        save_state(place, AccountState(SPOTIFY, account_id, listener, polled_at=NOW))
    for source, account_id in ((SPOTIFY, "B1"), (SPOTIFY, "../B1"), (LASTFM, "A1"), ("x", "A1")):
        with pytest.raises(AccountError, match="not connected"):
            disconnect(settings, source, "anna", account_id)
    (one,) = connected(settings, "anna", NOW)
    assert one.state is not None and one.state["status"] == "ok"
    of_anna = AccountPlace(settings.inbox_folder, SPOTIFY, "A1")
    with locked(of_anna), pytest.raises(AccountError, match="being read right now"):
        disconnect(settings, SPOTIFY, "anna", "A1")
    disconnect(settings, SPOTIFY, "anna", "A1")
    assert [one.account_id for one in tokens.accounts()] == ["B1"]
    assert (of_anna.state.exists(), (of_anna.folder / "plays").exists()) == (False, True)


def test_accounts_that_cannot_be_read_are_named_and_keep_nobody_else_from_being_polled(settings: ServiceSettings) -> None:
    settings.state_dir.mkdir()
    (settings.state_dir / FILE).write_text("{")
    assert (LISTENBRAINZ, "carl1", "carl") in polled(settings)
    accounts = connected_accounts(AccountSettings(_env_file=None, state_dir=settings.state_dir))
    broken = [one for one in accounts if one.account_id == FILE]
    assert {one.source for one in broken} == {LASTFM, LISTENBRAINZ}
    with pytest.raises(PollError, match="enter the accounts again"):
        broken[0].client()


@pytest.mark.parametrize(
    ("redirect_uri", "host", "expected"),
    [
        ("http://127.0.0.1/callback", "127.0.0.1", ("http://127.0.0.1:8090/callback", True)),
        ("http://127.0.0.1:8090/callback", "0.0.0.0", ("http://127.0.0.1:8090/callback", True)),  # noqa: S104
        ("http://[::1]/callback", "::1", ("http://[::1]:8090/callback", True)),
        ("http://127.0.0.1:9999/callback", "127.0.0.1", ("http://127.0.0.1:9999/callback", False)),
        ("http://127.0.0.1/other", "127.0.0.1", ("http://127.0.0.1/other", False)),
        ("http://[::1]/callback", "127.0.0.1", ("http://[::1]/callback", False)),
    ],
)
def test_the_service_answers_where_spotify_sends_the_browser_if_it_can(redirect_uri: str, host: str, expected: Any) -> None:
    assert redirect_of(redirect_uri, ServiceSettings(_env_file=None, serve_host=host)) == expected
