"""A source that asks for a pause of 80,000 s: the poll ends at once, well, and the others go on."""

from __future__ import annotations

import datetime as dt
import json
import time
from pathlib import Path

import pytest

from polling.places import AccountPlace
from tests.live.conftest import UTC, Live
from tests.live.services import LASTFM, LISTENBRAINZ, RECENT
from tests.polling import spotify_faults as faults
from tests.polling.server import Listen
from tests.polling.spotify_server import play

PAUSE = 80_000
PATHS = {"spotify_api": RECENT, "lastfm_api": LASTFM, "listenbrainz_api": f"{LISTENBRAINZ}listenbrainz-anna/listens"}
ACCOUNTS = {"spotify_api": "A1", "lastfm_api": "lastfm-anna", "listenbrainz_api": "listenbrainz-anna"}
NOW = int(time.time())


def listens(count: int) -> list[Listen]:
    return [Listen(NOW - 86_400 + 300 * number, "Vega", f"Tide {number}") for number in range(count)]


@pytest.fixture
def connected(live: Live) -> Live:
    live.spotify("A1", play(1, f"{dt.datetime.now(UTC):%Y-%m-%d}T00:00:01.000Z"))
    live.scrobblers(lastfm=listens(3), listenbrainz=listens(3))
    return live


@pytest.mark.parametrize("source", PATHS)
def test_mode_1_a_pause_of_80000_s_is_stored_and_all_others_go_on(connected: Live, source: str) -> None:
    path, others = PATHS[source], set(PATHS) - {source}
    # A second account of the same service.
    connected.spotify("B2", play(2, "2026-11-30T00:00:01.000Z"), listener="ben")
    connected.server.fail(path, faults.api_error(429, "API rate limit exceeded", headers={"Retry-After": str(PAUSE)}))
    started, before = time.monotonic(), dt.datetime.now(UTC)
    said = connected.poll()
    assert (said.code, time.monotonic() - started < 30) == (0, True)
    documents = json.loads(said.out)["accounts"]
    waits = [one for one in documents if one["status"] == "waiting"]
    assert [one["source"] for one in waits] == [source]
    assert [one["status"] for one in documents if one not in waits] == ["polled"] * 3
    assert len(connected.server.asked(path)) == 1 + (source == "spotify_api")
    account = waits[0]["account_id"]
    retry_at = dt.datetime.fromisoformat(connected.state_of(source, account)["retry_at"])
    assert PAUSE - 5 <= (retry_at - before).total_seconds() <= PAUSE + 60
    # Until then nothing is asked of it, and the others are polled as ever.
    connected.server.requests.clear()
    again = connected.poll("--user", "anna" if account != "B2" else "ben")
    assert again.code == 0
    assert again.accounts[source]["status"] == "waiting"
    asked = connected.server.asked(path)
    assert asked == []
    if account != "B2":
        assert {again.accounts[other]["status"] for other in others} == {"polled"}
    # Afterwards it is.
    place = AccountPlace(connected.inbox, source, account)
    _over(place.state)
    assert connected.poll().code == 0
    assert connected.state_of(source, account)["retry_at"] is None
    assert len(connected.server.asked(path)) >= 1


def _over(state: Path) -> None:
    """As if the time had come."""
    document = json.loads(state.read_text())
    document["retry_at"] = "2020-01-01T00:00:00Z"
    state.write_text(json.dumps(document))


def test_the_wait_is_said_in_one_line(connected: Live) -> None:
    connected.server.fail(LASTFM, faults.reply(429, {"error": 29, "message": "slow"}, headers={"Retry-After": str(PAUSE)}))
    said = connected.say("poll", "--landing", str(connected.landing))
    assert said.code == 0
    [line] = [line for line in said.out.splitlines() if line.startswith("lastfm_api")]
    assert "the source asks to wait until" in line
    assert said.err == ""
