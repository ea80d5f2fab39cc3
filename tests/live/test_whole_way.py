"""From an answer of a service to a row of silver: `lakehouse poll` and `lakehouse run` over real HTTP, as people use them."""

from __future__ import annotations

import datetime as dt
import time
from collections import Counter

import pytest

from tests.live.conftest import UTC, Live
from tests.live.services import LASTFM, RECENT, Services
from tests.polling import spotify_faults as faults
from tests.polling.server import SERVER_NOW, Listen
from tests.polling.spotify_faults import Fault
from tests.polling.spotify_server import play

DAY = int(time.time()) // 86_400 * 86_400 - 3 * 86_400
LISTENBRAINZ_PATH = "/1/user/listenbrainz-anna/listens"


def at(minute: int) -> str:
    """A time of three days ago, as Spotify writes it."""
    return dt.datetime.fromtimestamp(DAY + 60 * minute, UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")


def listen(minute: int, title: str | None = None) -> Listen:
    return Listen(DAY + 60 * minute, "Vega", title or f"Tide {minute}")


def kept(live: Live) -> list[str]:
    """Titles of the kept plays."""
    return sorted(row["track_name"] for row in live.rows("silver.plays", disposition="kept"))


def test_mode_10_an_account_that_stalls_is_no_failure(live: Live) -> None:
    """Nothing new for long is what it is: plays come again later. Status says since when nothing came."""
    live.spotify("A1", play(1, at(1)))
    assert live.poll().accounts["spotify_api"]["new_plays"] == 1
    for _ in range(2):
        said = live.poll()
        assert (said.code, said.accounts["spotify_api"]["status"], said.accounts["spotify_api"]["new_plays"]) == (0, "polled", 0)
    state = live.state_of("spotify_api", "A1")
    assert state["cursor"] < state["polled_at"]
    live.server.accounts["A1"].plays.insert(0, play(2, at(9)))
    assert live.poll().accounts["spotify_api"]["new_plays"] == 1


def test_mode_11_what_fills_in_late_is_received_from_every_service(live: Live) -> None:
    """Older than the newest play that is known; of services that page, below the 50 newest."""
    plays, listens = [play(n, at(n)) for n in range(40, 10, -1)], [listen(n) for n in range(100, 250)]
    live.spotify("A1", *plays)
    live.scrobblers(lastfm=list(listens), listenbrainz=list(listens))
    assert live.poll().code == 0
    live.server.accounts["A1"].plays.insert(20, play(90, at(20), name="Late"))
    for service in (live.server.music.lastfm["lastfm-anna"], live.server.music.listenbrainz["listenbrainz-anna"]):
        service.append(Listen(DAY + 60 * 101 + 30, "Vega", "Late"))
    said = live.poll()
    assert {source: one["new_plays"] for source, one in said.accounts.items()} == {
        "spotify_api": 1,
        "lastfm_api": 1,
        "listenbrainz_api": 1,
    }


def test_mode_12_a_full_answer_without_a_known_play_is_a_gap(live: Live) -> None:
    live.spotify("A1", *[play(n, at(n)) for n in range(60, 10, -1)])
    assert live.poll().accounts["spotify_api"]["gaps"] == []
    live.server.accounts["A1"].plays = [play(n, at(n)) for n in range(200, 150, -1)]
    [gap] = live.poll().accounts["spotify_api"]["gaps"]
    assert [gap[name] for name in ("start", "end")] == [str(dt.datetime.fromisoformat(at(minute))) for minute in (60, 151)]
    [stored] = live.state_of("spotify_api", "A1")["gaps"]
    assert (stored["start"], stored["end"]) == (at(60).replace(".000Z", "Z"), at(151).replace(".000Z", "Z"))


def test_modes_15_to_18_odd_plays_go_where_they_belong(live: Live) -> None:
    odd = [
        {"track": None, "played_at": at(5), "context": None},
        play(6, at(6), id=None, uri="spotify:local:Vega:North:Home:201", is_local=True, name="Home"),
        play(7, at(7), type="episode", uri="spotify:episode:5eP1", name="Part", artists=None, album=None),
        play(8, at(8), external_ids=None, name="No ISRC"),
        play(9, at(9), album=None, duration_ms=None, is_local=None, name="Bare"),
    ]
    live.spotify("A1", *odd[::-1])
    assert live.poll().accounts["spotify_api"]["new_plays"] == 5
    live.build()
    rows = {(row["disposition"], row["reason"], row["track_name"]) for row in live.rows("silver.plays")}
    assert rows == {
        ("quarantined", "no_names_and_no_uri", None),
        ("kept", None, "Home"),
        ("set_aside", "podcast", None),
        ("kept", None, "No ISRC"),
        ("kept", None, "Bare"),
    }


def test_modes_25_26_and_35_no_time_and_wrong_times(live: Live) -> None:
    """What plays now is no play; a time of 1970 or of the future is quarantined, and hides none of those that come later."""
    now = int(time.time())
    wrong = [Listen(0, "Vega", "Old"), Listen(now + 3 * 3600, "Vega", "Ahead")]
    live.scrobblers(lastfm=[*wrong, listen(1)], listenbrainz=[*wrong, listen(2, "Other")])
    live.server.music.playing = Listen(0, "Vega", "Now")
    assert live.poll().code == 0
    live.server.music.lastfm["lastfm-anna"].append(listen(30))
    live.server.music.listenbrainz["listenbrainz-anna"].append(listen(40, "Other later"))
    assert {one["new_plays"] for one in live.poll().accounts.values()} == {1}
    live.build()
    assert kept(live) == ["Other", "Other later", "Tide 1", "Tide 30"]
    reasons = {(row["track_name"], row["reason"]) for row in live.rows("silver.plays", disposition="quarantined")}
    assert reasons == {("Old", "ts_before_2006"), ("Ahead", "ts_in_future")}


def test_mode_30_plays_of_one_second_are_all_kept(live: Live) -> None:
    live.spotify("A1", play(1, at(1), name="One"), play(2, at(1), name="Two"), listener="ben")
    same = [listen(1, "One"), listen(1, "Two"), listen(1, "Three")]
    live.scrobblers(lastfm=list(same))
    assert live.poll().code == 0
    live.build()
    found = sorted((row["user_id"], row["track_name"]) for row in live.rows("silver.plays", disposition="kept"))
    assert found == [("anna", "One"), ("anna", "Three"), ("anna", "Two"), ("ben", "One"), ("ben", "Two")]


def test_modes_32_and_33_what_is_deleted_or_edited_stays(live: Live) -> None:
    live.scrobblers(lastfm=[listen(1), listen(2), listen(3)])
    assert live.poll().code == 0
    live.server.music.lastfm["lastfm-anna"] = [listen(1), listen(2, "Tide two"), listen(4)]
    assert live.poll().accounts["lastfm_api"]["new_plays"] == 2
    live.build()
    assert kept(live) == ["Tide 1", "Tide 2", "Tide 3", "Tide 4", "Tide two"]


def test_mode_34_the_date_is_the_servers(live: Live) -> None:
    """The machine of the test is as wrong about the time as the server says."""
    live.server.now = lambda: SERVER_NOW - dt.timedelta(days=400)
    live.scrobblers(lastfm=[Listen(int(SERVER_NOW.timestamp()) - 401 * 86_400, "Vega", "Tide")])
    assert live.poll().code == 0
    assert live.state_of("lastfm_api", "lastfm-anna")["polled_at"].startswith("2025-10-26")
    assert all("to" not in request.query for request in live.server.requests)
    [file] = live.inbox.glob("lastfm_api/lastfm-anna/*/*.gz")
    assert file.parent.name == "2025-10"


PASSING: dict[str, Fault] = {
    "36 cut body": faults.cut(),
    "36 cut chunks": faults.cut_chunks,
    "36 half of the JSON": faults.reply(200, b'{"items": ['),
    "37 cut gzip": faults.cut_gzip,
    "38 HTML": faults.html(),
    "39 bomb": faults.bomb,
    "40 drip": faults.drip,
    "40 drip of headers": faults.drip_headers,
}


def test_modes_36_to_40_each_fault_passes_or_fails_without_loss(live: Live) -> None:
    """Every fault, in one poll of all services each; the plays that came meanwhile are there afterwards, once."""
    live.settings |= {"LAKEHOUSE_SPOTIFY_REQUEST_SECONDS": "0.7"}
    live.spotify("A1", play(0, at(0)))
    live.scrobblers(lastfm=[listen(0)], listenbrainz=[listen(0)])
    assert live.poll().code == 0
    received = Counter[str]()
    for number, (name, fault) in enumerate(PASSING.items(), start=1):
        live.server.accounts["A1"].plays.insert(0, play(number, at(10 * number), name=f"Tide {10 * number}"))
        for service in (live.server.music.lastfm["lastfm-anna"], live.server.music.listenbrainz["listenbrainz-anna"]):
            service.append(listen(10 * number))
        paths = (RECENT,) if name.startswith("40") else (RECENT, LASTFM, LISTENBRAINZ_PATH)
        for path in paths:
            live.server.fail(path, fault)
        said = live.poll()
        assert {one["status"] for one in said.accounts.values()} <= {"polled", "failed"}, (name, said.err)
        # The old state, or the new one with all that is new.
        for source, one in said.accounts.items():
            assert one["new_plays"] in (0, number - received[source]), name
            received[source] += one["new_plays"]
        assert "Traceback" not in said.err
    assert {one["status"] for one in live.poll().accounts.values()} == {"polled"}
    live.build()
    assert kept(live) == sorted(f"Tide {10 * number}" for number in range(len(PASSING) + 1))


def test_mode_43_two_polls_at_once_receive_each_play_once(live: Live) -> None:
    live.scrobblers(lastfm=[listen(n) for n in range(150)])
    words = ("poll", "--landing", str(live.landing), "--json")
    processes = [live.start(*words) for _ in range(3)]
    codes = [process.communicate(timeout=120) and process.returncode for process in processes]
    assert set(codes) <= {0, 3} and 0 in codes
    assert live.poll().accounts["lastfm_api"]["new_plays"] == 0
    live.build()
    assert len(live.rows("bronze.listening_history")) == 150


@pytest.mark.parametrize("service", ["lastfm", "listenbrainz"])
def test_the_server_of_the_tests_tells_of_similar_artists(service: str) -> None:
    """So that what asks for them can be tested too."""
    import requests

    from tests.polling.server import API_KEY

    with Services() as server:
        server.similar = {"Vega": [{"name": "Lyra", "match": "0.61"}], "uuid": [{"name": "Lyra", "score": 792}]}
        if service == "lastfm":
            asked = {"method": "artist.getsimilar", "artist": "Vega", "api_key": API_KEY, "format": "json"}
            body = requests.get(f"{server.url}/2.0/", asked, timeout=5).json()["similarartists"]["artist"]
        else:
            body = requests.get(f"{server.url}/similar-artists/json", {"artist_mbids": "uuid"}, timeout=5).json()
    assert [row["name"] for row in body] == ["Lyra"]
