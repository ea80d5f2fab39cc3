"""Spotify's client against a server that fails: what is an answer, what is a failure, and what each failure asks for."""

from __future__ import annotations

import datetime as dt
import json
import logging
import random
import time
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from polling.answers import AccountRefused, Answer, PollError, RetryLater
from polling.pace import Budget
from polling.spotify import SpotifyClient
from tests.polling import spotify_faults as faults
from tests.polling.spotify_accounts import CLIENT_ID, START, Spotify
from tests.polling.spotify_faults import Fault
from tests.polling.spotify_server import SpotifyServer, play, self_signed

RECENT, TOKEN = "/v1/me/player/recently-played", "/api/token"
ANNA = "account A1 (listener anna)"
TWO = (play(2, "2026-11-30T11:04:05.123Z"), play(1, "2026-11-30T11:00:00.000Z"))
CONNECT = "lakehouse connect spotify --user anna"


def answer_of(client: SpotifyClient) -> Answer:
    (answer,) = client.recent()
    return answer


def refused(client: SpotifyClient) -> AccountRefused:
    with pytest.raises(AccountRefused) as caught:
        answer_of(client)
    assert ANNA in str(caught.value)
    return caught.value


def failure(client: SpotifyClient) -> PollError:
    """A failure of this poll alone: neither a pause nor a refusal."""
    with pytest.raises(PollError) as caught:
        answer_of(client)
    assert type(caught.value) is PollError
    assert ANNA in str(caught.value)
    return caught.value


def test_an_answer_is_whole_and_dated_by_the_server(spotify: Spotify) -> None:
    client = spotify.connected("A1", *TWO)
    spotify.server.now = lambda: START + dt.timedelta(hours=5)
    answer = answer_of(client)
    assert (answer.source, answer.account_id) == ("spotify_api", "A1")
    assert dict(answer.request) == {"endpoint": "me/player/recently-played", "limit": "50"}
    assert answer.body["items"] == list(TWO)
    # Mode 34: the local clock is five hours behind.
    assert answer.server_date == START + dt.timedelta(hours=5)
    assert [(item.position, item.key, item.played_at) for item in answer.items] == [
        (0, "1796036645123|spotify:track:2aB2", dt.datetime(2026, 11, 30, 11, 4, 5, 123_000, dt.timezone.utc)),
        (1, "1796036400000|spotify:track:2aB1", dt.datetime(2026, 11, 30, 11, tzinfo=dt.timezone.utc)),
    ]


def test_nothing_played_is_an_answer(spotify: Spotify) -> None:
    answer = answer_of(spotify.connected("A1"))
    assert (answer.items, answer.body["items"], answer.body["cursors"]) == ((), [], None)


def test_mode_11_late_plays_are_asked_for_without_a_cursor(spotify: Spotify) -> None:
    client = spotify.connected("A1", *TWO)
    first = answer_of(client)
    spotify.server.accounts["A1"].plays.append(play(0, "2026-11-29T08:00:00.000Z"))
    second = answer_of(client)
    assert [request.query for request in spotify.server.asked(RECENT)] == [{"limit": "50"}] * 2
    assert {item.key for item in second.items} - {item.key for item in first.items} == {"1795939200000|spotify:track:2aB0"}


def test_mode_13_the_time_stays_as_it_is_written(spotify: Spotify) -> None:
    answer = answer_of(spotify.connected("A1", play(1, "2026-11-30T11:00:00Z"), play(1, "2026-11-30T11:00:00.000Z")))
    assert [item["played_at"] for item in answer.body["items"]] == ["2026-11-30T11:00:00Z", "2026-11-30T11:00:00.000Z"]
    assert len({item.key for item in answer.items}) == 1, "one moment, however it is written"


def test_mode_14_a_play_that_spotify_leaves_out_is_not_made_up(spotify: Spotify) -> None:
    answer = answer_of(spotify.connected("A1", TWO[0]))
    assert [item.position for item in answer.items] == [0]


ODD_PLAYS: dict[str, tuple[Any, str]] = {
    "mode 15: no track": ({"track": None, "played_at": "2026-11-30T11:00:00.000Z"}, "1796036400000|none"),
    "mode 16: a local track without an id": (
        play(1, "2026-11-30T11:00:00.000Z", id=None, uri="spotify:local:Vega:North:Tide:201", is_local=True),
        "1796036400000|spotify:local:Vega:North:Tide:201",
    ),
    "mode 16: neither id nor uri": (
        play(1, "2026-11-30T11:00:00.000Z", id=None, uri=None, name="Tide"),
        "1796036400000|names:e6310b63f659324c",
    ),
    "mode 17: an episode": (
        play(1, "2026-11-30T11:00:00.000Z", type="episode", uri="spotify:episode:5eP1", album=None, artists=None),
        "1796036400000|spotify:episode:5eP1",
    ),
    "mode 18: no ISRC": (play(1, "2026-11-30T11:00:00.000Z", external_ids=None), "1796036400000|spotify:track:2aB1"),
    "no time": ({"track": {"uri": "spotify:track:2aB1"}}, "None|spotify:track:2aB1"),
    "a time that is none": (play(1, "yesterday"), "yesterday|spotify:track:2aB1"),
    "a time before all times": (
        play(1, "0001-01-01T00:00:00+23:00"),
        "0001-01-01T00:00:00+23:00|spotify:track:2aB1",
    ),
    "a time without a zone": (play(1, "2026-11-30T11:00:00"), "2026-11-30T11:00:00|spotify:track:2aB1"),
    "no object": (7, "None|none"),
}


@pytest.mark.parametrize("odd", ODD_PLAYS)
def test_an_odd_play_is_kept_and_keeps_none_of_the_others(spotify: Spotify, odd: str) -> None:
    record, key = ODD_PLAYS[odd]
    client = spotify.connected("A1", TWO[0], record, TWO[1])
    first, second = answer_of(client), answer_of(client)
    assert first.body["items"][1] == record
    assert [item.position for item in first.items] == [0, 1, 2]
    assert first.items[1].key == second.items[1].key == key


# An answer that says nothing about the plays: the poll fails, and the next one gets them.
UNUSABLE: dict[str, Fault] = {
    "mode 3: 503": faults.api_error(503, "Service unavailable"),
    "mode 19: 204": faults.reply(204),
    "mode 19: empty": faults.reply(200, b""),
    "mode 19: broken JSON of full length": faults.reply(200, b'{"items": ['),
    "mode 36: cut body": faults.cut(),
    "mode 36: cut chunks": faults.cut_chunks,
    "mode 37: cut gzip": faults.cut_gzip,
    "mode 38: HTML with 200": faults.html(),
    "no list of items": faults.reply(200, {"items": None}),
    "a list": faults.reply(200, [1, 2]),
    "null": faults.reply(200, b"null"),
    "error as text": faults.reply(500, {"error": "oh no"}),
    "error as a list": faults.reply(502, ["oh", "no"]),
    "no answer": faults.hang_up,
    "400": faults.api_error(400, "Only one of before and after"),
    "mode 39: gzip bomb": faults.bomb,
    "mode 41: redirect": faults.redirect("http://127.0.0.1:9/v1/me"),
}


@pytest.mark.parametrize("name", UNUSABLE)
def test_an_answer_that_cannot_be_used_fails_this_poll_only(spotify: Spotify, name: str) -> None:
    client = spotify.connected("A1", *TWO)
    before = spotify.store.read("A1")
    spotify.server.fail(RECENT, *[UNUSABLE[name]] * 3)
    failure(client)
    spotify.server.faults.clear()
    assert len(answer_of(client).items) == 2
    assert spotify.store.read("A1") == before


@pytest.mark.parametrize("name", [name for name in UNUSABLE if name[:7] not in ("400", "mode 39", "mode 41", "no list")])
def test_a_failure_that_passes_is_repeated_in_the_same_poll(spotify: Spotify, name: str) -> None:
    client = spotify.connected("A1", *TWO)
    spotify.server.fail(RECENT, UNUSABLE[name], UNUSABLE[name])
    assert len(answer_of(client).items) == 2
    assert 1 < spotify.clock.slept < 4


def test_mode_3_a_server_fault_is_no_rate_limit(spotify: Spotify) -> None:
    client = spotify.connected("A1", *TWO)
    spotify.server.fail(RECENT, *[faults.api_error(503, "Service unavailable")] * 3)
    assert "HTTP 503: Service unavailable" in str(failure(client))


def test_mode_38_the_message_shows_the_beginning_of_the_page(spotify: Spotify) -> None:
    client = spotify.connected("A1", *TWO)
    spotify.server.fail(RECENT, *[faults.reply(200, b"<html>\x1b[31m" + b"x" * 5000, "text/html")] * 3)
    message = str(failure(client))
    assert "<html> [31mxxx" in message
    assert len(message) < 500


def test_mode_39_a_bomb_is_not_unpacked(spotify: Spotify) -> None:
    client = spotify.connected("A1")
    spotify.server.fail(RECENT, faults.bomb)
    assert "larger than 8 MiB" in str(failure(client))


@pytest.mark.parametrize("slow", [faults.drip, faults.drip_headers], ids=["body", "headers"])
def test_mode_40_a_server_that_drips_is_cut_off(spotify: Spotify, slow: Fault) -> None:
    spotify.connected("A1", *TWO)
    spotify.server.fail(RECENT, *[slow] * 3)
    began = time.monotonic()
    assert "no complete answer within 0.5 s" in str(failure(spotify.client("A1", spotify_request_seconds=0.5)))
    assert 1.4 < time.monotonic() - began < 3


def test_mode_41_no_token_follows_a_redirect(spotify: Spotify) -> None:
    client = spotify.connected("A1")
    with SpotifyServer() as other:
        spotify.server.fail(RECENT, faults.redirect(f"{other.url}/v1/me/player/recently-played"))
        assert "redirects are refused" in str(failure(client))
        assert other.requests == []


def test_mode_42_a_certificate_that_cannot_be_verified_is_a_failure(spotify: Spotify, tmp_path: Path) -> None:
    spotify.connected("A1")
    with SpotifyServer(self_signed(tmp_path)) as other:
        assert "CERTIFICATE_VERIFY_FAILED" in str(failure(spotify.client("A1", spotify_api_url=f"{other.url}/v1")))
        assert other.requests == []


def test_mode_1_a_pause_of_hours_is_not_slept_through(spotify: Spotify) -> None:
    client = spotify.connected("A1", *TWO)
    spotify.server.fail(RECENT, faults.api_error(429, "API rate limit exceeded", headers={"Retry-After": "80000"}))
    with pytest.raises(RetryLater, match=r"HTTP 429: API rate limit exceeded; asks to wait until 2026-12-01 10:13 UTC") as caught:
        answer_of(client)
    assert caught.value.retry_at == START + dt.timedelta(seconds=80_000)
    assert spotify.clock.slept == 0


@pytest.mark.parametrize(
    ("after", "seconds"),
    [
        ("Tue, 01 Dec 2026 12:00:00 GMT", 86_400),
        ("999999999999", 30 * 86_400),
        ("61.5", 61.5),
    ],
    ids=["date", "overflow", "fraction"],
)
def test_every_form_of_a_pause_is_read(spotify: Spotify, after: str, seconds: float) -> None:
    client = spotify.connected("A1", *TWO)
    spotify.server.fail(RECENT, faults.api_error(503, "busy", headers={"Retry-After": after}))
    with pytest.raises(RetryLater) as caught:
        answer_of(client)
    assert caught.value.retry_at == START + dt.timedelta(seconds=seconds)


def test_a_pause_is_heard_also_in_an_answer_that_is_cut(spotify: Spotify) -> None:
    client = spotify.connected("A1", *TWO)
    damaged = faults.reply(429, b"\x1f\x8b", headers={"Retry-After": "3600", "Content-Encoding": "gzip"})
    spotify.server.fail(RECENT, damaged)
    with pytest.raises(RetryLater):
        answer_of(client)


def test_a_short_pause_is_waited_for(spotify: Spotify) -> None:
    client = spotify.connected("A1", *TWO)
    spotify.server.fail(RECENT, faults.api_error(429, "API rate limit exceeded", headers={"Retry-After": "17"}))
    assert len(answer_of(client).items) == 2
    assert spotify.clock.slept == 17


def test_pauses_end_with_the_time_of_the_poll(spotify: Spotify) -> None:
    spotify.connected("A1", *TWO)
    spotify.server.fail(RECENT, *[faults.api_error(429, "limit", headers={"Retry-After": "45"})] * 3)
    assert "given up" in str(failure(spotify.client("A1", spotify_poll_seconds=60.0)))
    assert spotify.clock.slept == 45


def test_mode_2_a_quota_is_left_alone_for_a_day(spotify: Spotify) -> None:
    client = spotify.connected("A1", *TWO)
    spotify.server.fail(RECENT, faults.api_error(429, "Too many", "QUOTA_EXCEEDED", headers={"Retry-After": "5"}))
    with pytest.raises(RetryLater, match="QUOTA_EXCEEDED") as caught:
        answer_of(client)
    assert caught.value.retry_at == START + dt.timedelta(days=1)


def test_mode_7_a_token_that_is_refused_is_renewed_once(spotify: Spotify) -> None:
    client = spotify.connected("A1", *TWO)
    spotify.server.withdraw("A1", consent=False)
    assert len(answer_of(client).items) == 2
    assert len(spotify.server.asked(TOKEN)) == 1
    spotify.server.fail(RECENT, *[faults.api_error(401, "Invalid access token")] * 3)
    error = refused(client)
    assert "HTTP 401" in str(error)
    assert CONNECT in error.remedy
    assert len(spotify.server.asked(TOKEN)) == 2


def test_mode_8_a_person_who_is_no_user_of_the_app_is_told_what_to_do(spotify: Spotify) -> None:
    client = spotify.connected("A1", *TWO)
    spotify.server.fail(RECENT, faults.reply(403, b"User not registered in the Developer Dashboard", "text/plain"))
    remedy = refused(client).remedy
    assert "Premium" in remedy
    assert "User Management" in remedy
    assert len(answer_of(client).items) == 2


def test_a_consent_without_the_scope_is_asked_for_again(spotify: Spotify) -> None:
    client = spotify.connected("A1", *TWO)
    spotify.server.fail(RECENT, faults.api_error(403, "Insufficient client scope"))
    assert CONNECT in refused(client).remedy


def test_mode_9_an_account_that_is_gone_stops(spotify: Spotify) -> None:
    client = spotify.connected("A1", *TWO)
    spotify.server.fail(RECENT, faults.api_error(404, "Not found"))
    assert "its plays are kept" in str(refused(client))


def test_an_account_that_is_not_connected_asks_nothing(spotify: Spotify) -> None:
    with pytest.raises(AccountRefused) as caught:
        answer_of(spotify.client("A9"))
    assert caught.value.remedy == "run `lakehouse connect spotify`"
    assert spotify.server.requests == []


def test_an_answer_without_a_date_is_a_failure(spotify: Spotify, monkeypatch: pytest.MonkeyPatch) -> None:
    client = spotify.connected("A1", *TWO)
    monkeypatch.setattr("tests.polling.spotify_server.format_datetime", lambda moment, usegmt: "today")
    assert "without a Date" in str(failure(client))


def test_metadata_is_asked_for_one_by_one(spotify: Spotify) -> None:
    client = spotify.connected("A1")
    spotify.server.metadata = {
        "tracks/2aB1": {"id": "2aB1", "external_ids": {"isrc": "ZZX012400001"}},
        "albums/1aB2": {"id": "1aB2", "release_date": "2024-03-01"},
        "artists/0aB1": {"id": "0aB1", "genres": []},
    }
    assert client.track("2aB1") == spotify.server.metadata["tracks/2aB1"]
    assert client.album("1aB2") == spotify.server.metadata["albums/1aB2"]
    assert client.artist("0aB1") == spotify.server.metadata["artists/0aB1"]
    assert (client.track("9zZ9"), client.album("9zZ9"), client.artist("9zZ9")) == (None, None, None)
    with pytest.raises(PollError):
        client.track("../me")
    assert [request.path for request in spotify.server.requests][3:] == ["/v1/tracks/9zZ9", "/v1/albums/9zZ9", "/v1/artists/9zZ9"]


def test_closed_audio_features_are_asked_for_once_per_app(spotify: Spotify) -> None:
    client = spotify.connected("A1")
    spotify.server.metadata = {"audio-features/2aB1": {"id": "2aB1", "energy": 0.5}}
    assert client.audio_features("2aB1") == {"id": "2aB1", "energy": 0.5}
    spotify.server.fail("/v1/audio-features/2aB1", faults.api_error(403, "Forbidden"))
    assert client.audio_features("2aB1") is None
    spotify.server.requests.clear()
    assert spotify.client("A1").audio_features("2aB1") is None
    assert spotify.server.requests == []
    other_app = spotify.client("A1", client_id=SecretStr("another-app"))
    assert other_app.audio_features("2aB1") == {"id": "2aB1", "energy": 0.5}


def test_a_closed_endpoint_of_metadata_stops_no_account(spotify: Spotify) -> None:
    client = spotify.connected("A1", *TWO)
    spotify.server.fail("/v1/tracks/2aB1", faults.api_error(403, "Forbidden"))
    with pytest.raises(PollError) as caught:
        client.track("2aB1")
    assert not isinstance(caught.value, AccountRefused)


def test_a_budget_is_kept_over_several_accounts(spotify: Spotify) -> None:
    budget = Budget(3, 30.0)
    for account in ("A1", "A2"):
        spotify.connected(account, *TWO)
        client = SpotifyClient(spotify.settings, account, budget=budget, clock=spotify.clock)
        for _ in range(2):
            answer_of(client)
    assert spotify.clock.slept == 30
    with pytest.raises(RetryLater, match="budget"):
        long = Budget(1, 3600.0)
        for _ in range(2):
            answer_of(SpotifyClient(spotify.settings, "A1", budget=long, clock=spotify.clock))


def test_a_netrc_does_not_replace_the_token(spotify: Spotify, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login other password other\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    answer_of(spotify.connected("A1", *TWO))
    assert spotify.server.asked(RECENT)[0].headers["Authorization"] == "Bearer secret-access-A1-1"


def test_no_secret_is_in_a_message_or_a_log(spotify: Spotify, caplog: pytest.LogCaptureFixture) -> None:
    client = spotify.connected("A1", *TWO, expires_at=START)
    logging.getLogger("spotipy").setLevel(logging.DEBUG)
    caplog.set_level(logging.DEBUG)
    messages = []

    def echo(handler: Any) -> None:
        faults.reply(500, f"you sent {handler.headers['Authorization']}".encode(), "text/plain")(handler)

    spotify.server.fail(RECENT, echo, echo, echo)
    messages.append(str(failure(client)))
    assert "you sent Bearer" in messages[0]
    spotify.server.withdraw("A1", consent=False)
    cut_token = faults.reply(
        200, json.dumps({"access_token": "secret-access-new", "refresh_token": "secret-refresh-new"})[:-1].encode()
    )
    spotify.server.fail(TOKEN, *[cut_token] * 3)
    messages.append(str(failure(client)))
    said = "\n".join([*messages, caplog.text])
    assert "secret-" not in said
    assert "GET /v1/me/player/recently-played" in said, "the log was on"


@pytest.mark.parametrize("seed", range(3))
def test_plays_arrive_whatever_fails_in_between(spotify: Spotify, seed: int) -> None:
    """30 polls, a listener who plays in between, and seeded faults before both services: every play is in some answer once."""
    chosen = random.Random(seed)  # noqa: S311
    client = spotify.connected("A1")
    plays = spotify.server.accounts["A1"].plays
    spotify.server.chaos, spotify.server.chaos_share = random.Random(seed), 0.5  # noqa: S311
    seen, failures = set(), 0
    for poll in range(30):
        for _ in range(chosen.randrange(3)):
            plays.insert(0, play(len(plays), f"2026-11-30T{poll % 24:02}:{len(plays) % 60:02}:00.{len(plays):03}Z"))
        try:
            seen |= {item.key for item in answer_of(client).items}
        except PollError as error:
            assert type(error) is PollError
            failures += 1
        spotify.clock.sleep(1200)
    spotify.server.chaos = None
    seen |= {item.key for item in answer_of(client).items}
    assert failures > 0
    assert len(seen) == len(plays) > 20
    assert CLIENT_ID not in str(seen)
