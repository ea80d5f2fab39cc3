"""Tokens: private files, renewed once and never lost, and the end of consent told in time."""

from __future__ import annotations

import datetime as dt
import json
import os
import stat
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from polling.answers import AccountRefused, PollError
from polling.spotify import SpotifyClient
from polling.tokens import Token, TokenStore, consent_notice
from tests.polling import spotify_faults as faults
from tests.polling.spotify_accounts import START, Spotify
from tests.polling.spotify_faults import Fault
from tests.polling.spotify_server import play

RECENT, TOKEN = "/v1/me/player/recently-played", "/api/token"
ONE = play(1, "2026-11-30T11:00:00.000Z")
RENEW = "`lakehouse connect spotify --user anna`"


def token(**changes: Any) -> Token:
    made = Token(
        "spotify_api", "A1", "anna", "Vega", "app", "user-read-recently-played", "secret-refresh", "secret-access", START, START
    )
    return replace(made, **changes)


def polled(client: SpotifyClient) -> int:
    (answer,) = client.recent()
    return len(answer.items)


def stored(spotify: Spotify) -> Token:
    found = spotify.store.read("A1")
    assert found is not None
    return found


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_token_is_read_as_it_was_written(tmp_path: Path) -> None:
    store = TokenStore(tmp_path, "spotify_api")
    store.write(token(refused_at=START, refusals=1))
    assert store.read("A1") == token(refused_at=START, refusals=1)
    assert store.read("A2") is None
    assert TokenStore(tmp_path, "other").accounts() == []


def test_only_its_owner_can_read_a_token(tmp_path: Path) -> None:
    (tmp_path / "state").mkdir(mode=0o755)
    before = os.umask(0)
    try:
        store = TokenStore(tmp_path / "state", "spotify_api")
        with store.locked("A1"):
            store.write(token())
            modes = {path.name: mode(path) for path in (tmp_path / "state").rglob("*")}
    finally:
        os.umask(before)
    assert modes == {"tokens": 0o700, "spotify_api": 0o700, "A1.json": 0o600, ".A1.json.lock": 0o600}
    assert mode(tmp_path / "state") == 0o755, "a folder of somebody else's is left alone"


@pytest.mark.parametrize("account_id", ["../../etc/x", "..", ".hidden", "a/b", "Ä ö", "C:\\x", "con%2fx"])
def test_an_account_id_leads_nowhere_else(tmp_path: Path, account_id: str) -> None:
    store = TokenStore(tmp_path, "spotify_api")
    store.write(token(account_id=account_id))
    (path,) = (tmp_path / "tokens" / "spotify_api").iterdir()
    assert path.name.endswith(".json")
    assert not path.name.startswith(".")
    assert [one.account_id for one in store.accounts()] == [account_id]


def test_a_write_that_fails_leaves_the_old_token(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = TokenStore(tmp_path, "spotify_api")
    store.write(token())

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch, pytest.raises(OSError, match="No space"):
        patch.setattr(os, "fsync", full)
        store.write(token(refusals=1))
    assert store.accounts() == [token()]


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"{}", b'{"expires_at": 7}', b"\xff"])
def test_a_damaged_file_is_named(tmp_path: Path, content: bytes) -> None:
    store = TokenStore(tmp_path, "spotify_api")
    store.write(token())
    store.path("A1").write_bytes(content)
    with pytest.raises(PollError, match=r"A1.json cannot be read; remove it"):
        store.read("A1")


def test_a_file_of_another_account_is_not_taken(tmp_path: Path) -> None:
    store = TokenStore(tmp_path, "spotify_api")
    store.write(token())
    store.path("A1").rename(store.path("a2"))
    with pytest.raises(PollError, match="another account"):
        store.read("a2")


def test_tokens_are_in_no_text_about_a_token() -> None:
    assert "secret" not in repr(token()) + str(token()) + token().account


@pytest.mark.parametrize(
    ("consented", "ends"),
    [("2026-11-30", "2027-05-30"), ("2026-08-31", "2027-02-28"), ("2027-08-31", "2028-02-29"), ("2026-06-30", "2026-12-30")],
)
def test_consent_lasts_six_calendar_months(consented: str, ends: str) -> None:
    at = dt.datetime.fromisoformat(f"{consented}T12:00:00+00:00")
    assert f"{token(consented_at=at).consent_ends:%Y-%m-%d}" == ends


@pytest.mark.parametrize(
    ("days", "notice"),
    [
        (0, None),
        (150, None),
        (151, f"account A1 (listener anna): the consent ends on 2027-05-30, in 30 days; renew it with {RENEW}"),
        (180, f"account A1 (listener anna): the consent ends on 2027-05-30, in 1 days; renew it with {RENEW}"),
        (181, f"account A1 (listener anna): the consent ended on 2027-05-30; renew it with {RENEW}"),
    ],
)
def test_mode_4_the_end_of_consent_is_announced_30_days_before(days: int, notice: str | None) -> None:
    assert consent_notice(token(), START + dt.timedelta(days=days)) == notice


def test_a_refusal_is_announced_with_the_command_that_helps() -> None:
    notice = consent_notice(token(listener="anna b", refused_at=START), START)
    assert notice == (
        "account A1 (listener anna b): the source refuses the stored consent since 2026-11-30; "
        "renew it with `lakehouse connect spotify --user 'anna b'`"
    )


@pytest.mark.parametrize("left_out", ["refresh_token", "scope", "token_type"])
@pytest.mark.parametrize("value", [None, ""])
def test_what_a_refresh_leaves_out_stays(spotify: Spotify, left_out: str, value: str | None) -> None:
    spotify.server.rotates = False
    client = spotify.connected("A1", ONE, expires_at=START)
    before = stored(spotify)
    spotify.server.token_fields = {left_out: value}
    assert polled(client) == 1
    after = stored(spotify)
    assert (after.scope, after.access_token != before.access_token) == (before.scope, True)
    assert (after.refresh_token == before.refresh_token) == (left_out == "refresh_token")
    spotify.clock.sleep(3600)
    assert polled(client) == 1
    assert (after.consented_at, after.listener) == (before.consented_at, before.listener)


def test_a_new_refresh_token_is_kept_for_the_next_time(spotify: Spotify) -> None:
    client = spotify.connected("A1", ONE, expires_at=START)
    for _ in range(3):
        assert polled(client) == 1
        spotify.clock.sleep(3600)
    assert len(spotify.server.asked(TOKEN)) == 3
    assert "client_secret" not in spotify.server.asked(TOKEN)[0].form
    assert "Authorization" not in spotify.server.asked(TOKEN)[0].headers


def test_threads_and_clients_renew_a_token_once(spotify: Spotify) -> None:
    spotify.connected("A1", ONE, expires_at=START)
    counts: list[int] = []
    threads = [threading.Thread(target=lambda: counts.append(polled(spotify.client("A1")))) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert counts == [1] * 6
    assert len(spotify.server.asked(TOKEN)) == 1


def test_nothing_is_asked_for_a_token_that_could_not_be_written(spotify: Spotify, monkeypatch: pytest.MonkeyPatch) -> None:
    client = spotify.connected("A1", ONE, expires_at=START)

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch, pytest.raises(OSError, match="No space"):
        patch.setattr(os, "fsync", full)
        polled(client)
    assert spotify.server.requests == []
    assert polled(client) == 1


# Failures of the token endpoint that say nothing about the consent.
PASSING: dict[str, Fault] = {
    "mode 6: 503": faults.reply(503, b"busy", "text/plain"),
    "mode 6: 500 in JSON": faults.oauth_error(500, "server_error"),
    "mode 6: HTML with 200": faults.html(),
    "mode 6: HTML with 502": faults.html(502),
    "429": faults.reply(429, b"slow down", "text/plain"),
    "mode 36: cut": faults.cut(b'{"access_token": "x'),
    "mode 37: cut gzip": faults.cut_gzip,
    "hang up": faults.hang_up,
    "a list": faults.reply(200, []),
}
UNUSABLE: dict[str, Fault] = {
    "no token": faults.reply(200, {"expires_in": 3600}),
    "no time": faults.reply(200, {"access_token": "x"}),
    "time as text": faults.reply(200, {"access_token": "x", "expires_in": "3600"}),
    "endless": faults.reply(200, {"access_token": "x", "expires_in": 10**12}),
    "token as a list": faults.reply(200, {"access_token": ["x"], "expires_in": 3600}),
    "400": faults.oauth_error(400, "invalid_request"),
    "403": faults.reply(403, {}),
    "404": faults.html(404),
    "mode 41: redirect": faults.redirect("http://127.0.0.1:9/"),
}


@pytest.mark.parametrize("name", [*PASSING, *UNUSABLE])
def test_mode_6_a_failing_token_endpoint_asks_nobody_for_consent(spotify: Spotify, name: str) -> None:
    client = spotify.connected("A1", ONE, expires_at=START)
    before = stored(spotify)
    spotify.server.fail(TOKEN, *[(PASSING | UNUSABLE)[name]] * 3)
    with pytest.raises(PollError) as caught:
        polled(client)
    assert type(caught.value) is PollError
    assert "account A1 (listener anna)" in str(caught.value)
    assert stored(spotify) == before
    spotify.server.faults.clear()
    assert polled(client) == 1


@pytest.mark.parametrize("name", PASSING)
def test_mode_6_a_passing_failure_of_the_token_endpoint_is_repeated(spotify: Spotify, name: str) -> None:
    client = spotify.connected("A1", ONE, expires_at=START)
    spotify.server.fail(TOKEN, PASSING[name], PASSING[name])
    assert polled(client) == 1


def stops(spotify: Spotify, requests: int) -> None:
    """The poll is refused, with this many requests to the token endpoint so far, and none to the API."""
    with pytest.raises(AccountRefused) as caught:
        polled(spotify.client("A1"))
    assert "invalid_grant" in str(caught.value)
    assert caught.value.remedy == f"run {RENEW}"
    assert (len(spotify.server.asked(TOKEN)), spotify.server.asked(RECENT)) == (requests, [])


def test_mode_5_a_withdrawn_consent_stops_and_is_tried_once_more_the_next_day(spotify: Spotify) -> None:
    spotify.connected("A1", ONE, expires_at=START)
    spotify.server.withdraw("A1", consent=True)
    stops(spotify, 1)
    stops(spotify, 1)
    spotify.clock.sleep(86_400)
    stops(spotify, 2)
    spotify.clock.sleep(86_400 * 5)
    stops(spotify, 2)
    assert json.loads(spotify.store.path("A1").read_text())["refusals"] == 2


def test_mode_5_a_false_alarm_is_over_the_next_day(spotify: Spotify) -> None:
    client = spotify.connected("A1", ONE, expires_at=START)
    spotify.server.fail(TOKEN, faults.oauth_error(400, "invalid_grant"))
    stops(spotify, 1)
    spotify.clock.sleep(86_400)
    assert polled(client) == 1
    assert (stored(spotify).refused_at, stored(spotify).refusals) == (None, 0)


def test_mode_5_after_six_months_there_is_no_other_try(spotify: Spotify) -> None:
    spotify.connected("A1", ONE, expires_at=START, consented_at=START - dt.timedelta(days=185))
    spotify.server.withdraw("A1", consent=True)
    stops(spotify, 1)
    spotify.clock.sleep(86_400)
    stops(spotify, 1)


def test_mode_5_one_listener_s_consent_stops_no_other(spotify: Spotify) -> None:
    spotify.connected("A1", ONE, expires_at=START)
    other = spotify.connected("A2", ONE, expires_at=START, listener="ben")
    spotify.server.withdraw("A1", consent=True)
    with pytest.raises(AccountRefused):
        polled(spotify.client("A1"))
    assert polled(other) == 1


def test_another_app_s_token_is_not_sent(spotify: Spotify) -> None:
    spotify.connected("A1", ONE, expires_at=START)
    with pytest.raises(AccountRefused, match="another CLIENT_ID"):
        polled(spotify.client("A1", client_id=SecretStr("other-app")))
    assert spotify.server.requests == []


def test_an_app_that_spotify_does_not_know_is_named(spotify: Spotify) -> None:
    client = spotify.connected("A1", ONE, expires_at=START)
    spotify.server.fail(TOKEN, faults.oauth_error(400, "invalid_client"))
    with pytest.raises(AccountRefused) as caught:
        polled(client)
    assert "CLIENT_ID" in caught.value.remedy
    assert stored(spotify).refused_at is None
