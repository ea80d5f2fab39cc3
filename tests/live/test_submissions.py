"""The door, served by `lakehouse serve`: four players, and what goes wrong; numbers are those of the list of failure modes."""

from __future__ import annotations

import http.client
import json
import resource
import signal
import socket
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from deltalake import DeltaTable

from bench import submissions as bench
from service.api_tokens import READ, SUBMIT, issue
from tests.live.players import Navidrome, WebScrobbler, players
from tests.live.served import Served

START = 1_700_000_000
JOURNALS = "submitted_listens"


class Door(Served):
    """A service with tokens for players, and the run that reads what they sent."""

    def token(self, listener: str, scope: str = SUBMIT) -> str:
        return issue(self.state, listener, scope, "a player")

    def navidrome(self, listener: str) -> Navidrome:
        return Navidrome(f"{self.base}/1/", self.token(listener))

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def build(self) -> str:
        return self.say("run", "--no-demo", "--only", "silver.plays", "--only", "silver.quarantine")

    def rows(self, table: str, **where: Any) -> list[dict[str, Any]]:
        every = DeltaTable(self.root.joinpath(*table.split("."))).to_pyarrow_table().to_pylist()
        return [row for row in every if all(row[name] == value for name, value in where.items())]

    def titles(self, listener: str) -> Counter[str]:
        """Of the plays that silver keeps."""
        return Counter(row["track_name"] for row in self.rows("silver.plays", user_id=listener, disposition="kept"))


@pytest.fixture(scope="module")
def door(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    with Door(tmp_path_factory.mktemp("door")) as served:
        yield served


def raw(door: Door, content: bytes, seconds: float = 30) -> tuple[int, dict[str, Any]]:
    """The answer to bytes that are sent as they are."""
    with socket.create_connection(("127.0.0.1", door.port), seconds) as connection:
        connection.sendall(content)
        answer = http.client.HTTPResponse(connection)
        answer.begin()
        document: dict[str, Any] = json.loads(answer.read())
        return answer.status, document


def test_four_players_start_send_and_see_what_they_sent(door: Door) -> None:
    for number, player in enumerate(players(door.base, door.token("four"))):
        name = type(player).__name__
        player.starts("four")
        at = START + number * 10_000
        now = player.submit("playing_now", player.listen(None, f"{name} now"))
        assert (now.status_code, now.json()) == (200, {"status": "ok"})
        shown = requests.get(
            f"{door.base}/1/user/four/playing-now", headers={"Authorization": f"token {player.token}"}, timeout=30
        )
        assert [one["track_metadata"]["track_name"] for one in shown.json()["payload"]["listens"]] == [f"{name} now"]
        assert player.submit("single", player.listen(at, f"{name} single")).json() == {"status": "ok"}
        many = [player.listen(at + 1000 + 300 * number, f"{name} {number}") for number in range(player.import_size)]
        assert player.submit("import", *many).json() == {"status": "ok"}
    last = players(door.base, door.token("four"))[1]
    payload = last.ask("GET", "/1/user/four/listens?count=1000").json()["payload"]
    times = [one["listened_at"] for one in payload["listens"]]
    assert (len(times), times) == (106, sorted(times, reverse=True))
    assert (payload["latest_listen_ts"], payload["oldest_listen_ts"], payload["user_id"]) == (times[0], times[-1], "four")
    assert last.ask("GET", "/1/user/four/listen-count").json() == {"payload": {"count": 106}}


def test_what_is_playing_now_is_stored_nowhere(door: Door) -> None:
    player = door.navidrome("now")
    player.submit("playing_now", player.listen(None, "A title that stands nowhere"))
    player.submit("single", player.listen(START, "A title that stands somewhere"))
    files = [path for path in door.folder.rglob("*") if path.is_file()]
    content = b"".join(path.read_bytes() for path in files)
    assert b"A title that stands somewhere" in content
    assert b"A title that stands nowhere" not in content


@pytest.mark.parametrize("base", ["/1/", "/1/1/", "/1//", "/1/1//1/"])
def test_base_addresses_with_a_1_too_many_work(door: Door, base: str) -> None:
    player = Navidrome(door.base + base, door.token("base"))
    player.starts("base")
    assert player.submit("single", player.listen(START, base)).json() == {"status": "ok"}
    assert player.ask("GET", "validate-token/").json()["valid"]


def test_a_token_may_stand_in_the_address_to_be_validated_but_in_no_log(door: Door) -> None:
    token = door.token("logged")
    answer = requests.get(f"{door.base}/1/validate-token?token={token}", timeout=30)
    assert answer.json()["user_name"] == "logged"
    wrong = requests.get(f"{door.base}/1/validate-token?token=x{token}", timeout=30)
    assert (wrong.status_code, wrong.json()) == (200, {"code": 200, "message": "Token invalid.", "valid": False})
    none = requests.get(f"{door.base}/1/validate-token", timeout=30)
    assert (none.status_code, none.json()["code"]) == (400, 400)
    assert requests.get(f"{door.base}/1/user/logged/listens?token={token}", timeout=30).status_code == 401
    assert token not in (door.folder / "log").read_text()


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/1/stats/user/x/artists"),
        ("POST", "/1/delete-listen"),
        ("GET", "/1/"),
        ("GET", "/apis/web/v1/stats"),
        ("GET", "/1/../../etc/passwd"),
        ("GET", "/1/user/attacks/listens/more"),
        ("GET", "/1/submit-listens"),
        ("OPTIONS", "/1/submit-listens"),
        ("PUT", "/1/submit-listens"),
    ],
)
def test_what_is_not_there_is_an_error_in_json_whatever_is_asked_for(door: Door, method: str, path: str) -> None:
    answer = requests.request(method, door.base + path, headers={"Accept": "text/html"}, timeout=30, allow_redirects=False)
    assert answer.status_code in (404, 405)
    if path.startswith(("/1/u", "/1/s", "/1/d", "/a")):
        assert answer.json()["code"] == answer.status_code
    assert "access-control-allow-origin" not in answer.headers


def test_nobody_sends_or_sees_without_a_token_of_their_own(door: Door) -> None:
    anna, ben = door.navidrome("anna"), door.navidrome("ben")
    assert anna.submit("single", anna.listen(START, "Only anna's")).status_code == 200
    assert "Only anna's" in anna.ask("GET", "user/anna/listens").text
    for path in ("listens", "listen-count", "playing-now"):
        assert anna.ask("GET", f"user/anna/{path}").status_code == 200
        assert ben.ask("GET", f"user/anna/{path}").status_code == 404
        assert requests.get(f"{door.base}/1/user/anna/{path}", timeout=30).status_code == 401
    for token, status in (("wrong", 401), (door.token("anna", READ), 403)):
        refused = Navidrome(f"{door.base}/1/", token).submit("single", anna.listen(START + 500, "Not sent"))
        assert (refused.status_code, refused.json()["code"]) == (status, status)
    assert Navidrome(f"{door.base}/1/", door.token("anna", READ)).ask("GET", "user/anna/listen-count").status_code == 200
    assert Navidrome(f"{door.base}/1/", door.token("anna", READ)).ask("GET", "validate-token").json()["valid"] is False


def test_bounds_are_exclusive_and_the_oldest_come_with_a_lower_bound_alone(door: Door) -> None:
    player = door.navidrome("bounds")
    player.submit("import", *[player.listen(START + 300 * number, f"Song {number}") for number in range(10)])

    def numbers(query: str) -> list[int]:
        listens = player.ask("GET", f"user/bounds/listens?{query}").json()["payload"]["listens"]
        return [(one["listened_at"] - START) // 300 for one in listens]

    def check() -> None:
        assert numbers("") == list(range(9, -1, -1))
        assert numbers("count=2") == [9, 8]
        assert numbers(f"count=2&max_ts={START + 2400}") == [7, 6]
        assert numbers(f"count=2&min_ts={START + 300}") == [3, 2]
        assert numbers(f"min_ts={START + 300}&max_ts={START + 1500}") == [4, 3, 2]
        assert player.ask("GET", "user/bounds/listens?max_ts=x").status_code == 400

    check()
    assert numbers("count=0") == list(range(9, -1, -1))
    assert player.ask("GET", "user/bounds/listens?count=-3").json()["payload"]["count"] == 1


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"[" * 200_000, 400),
        (b'{"listen_type":"single","payload":[' + b'{"a":' * 50_000 + b"1" + b"}" * 50_000 + b"]}", 400),
        (b"not JSON", 400),
        (b'{"listen_type": "single", "payload": [{"listened_at": 1, "more": "' + b"x" * 20_000 + b'"}]}', 400),
        (b" " * 10_300_000, 413),
    ],
    ids=["deep", "deep within", "no JSON", "too large for one", "too large"],
)
def test_bodies_beyond_the_limits_are_refused_and_nobody_else_notices(door: Door, body: bytes, status: int) -> None:
    player = door.navidrome("limits")
    headers = {"Authorization": f"Token {player.token}"}
    answer = requests.post(f"{door.base}/1/submit-listens", data=body, headers=headers, timeout=60)
    assert (answer.status_code, answer.json()["code"]) == (status, status)
    assert player.submit("single", player.listen(START, "Well")).status_code == 200


def test_a_body_that_comes_too_slowly_is_to_be_sent_again(door: Door) -> None:
    player = door.navidrome("slow")
    head = bench.head_of(player.token, 400)
    answers: list[tuple[int, dict[str, Any]]] = []
    thread = threading.Thread(target=lambda: answers.append(raw(door, head + b"{")))
    thread.start()
    assert player.submit("single", player.listen(START, "Meanwhile")).status_code == 200
    thread.join(25)
    assert [(status, document["code"]) for status, document in answers] == [(503, 503)]


def test_mode_46_of_a_batch_with_bad_listens_the_rest_is_kept_and_the_bad_ones_are_quarantined(door: Door) -> None:
    player = door.navidrome("batch")
    good = [player.listen(START + 300 * number, f"Good {number}") for number in range(3)]
    ahead = player.listen(int(time.time()) + 2 * 3600, "From the future")
    bad = [
        ahead,
        player.listen(0, "1970"),
        {"track_metadata": good[0]["track_metadata"]},
        {"listened_at": START, "track_metadata": {"additional_info": {}}},
        {**player.listen(START, "A text"), "listened_at": "yesterday"},
        7,
    ]
    doubtful = player.listen(START + 5000, "Bad MBID and both lengths")
    doubtful["track_metadata"]["additional_info"] |= {"recording_mbid": "no MBID", "duration": 201}
    answer = player.submit("import", good[0], *bad, good[1], doubtful, good[2])
    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})
    # Nothing of it is good, and a 400 would end a log-in.
    assert player.submit("single", ahead).json() == {"status": "ok"}
    door.kill()
    door.build()
    assert door.titles("batch") == Counter({"Good 0": 1, "Good 1": 1, "Good 2": 1, "Bad MBID and both lengths": 1})
    reasons = Counter(row["reason"] for row in door.rows("silver.quarantine", user_id="batch"))
    assert reasons == {
        "ts_in_future": 2,
        "ts_before_2006": 1,
        "missing_ts": 2,
        "no_names_and_no_uri": 1,
        "unparseable_ts": 1,
    }
    door.__enter__()


def test_mode_45_what_is_sent_again_is_no_second_play(door: Door) -> None:
    player, web = door.navidrome("retries"), WebScrobbler(f"{door.base}/1/submit-listens", door.token("retries"))
    one, other = player.listen(START, "Twice"), player.listen(START + 300, "Cut off")
    assert player.submit("single", one).status_code == player.submit("single", one).status_code == 200
    # The answer is never read, as on a connection that breaks.
    body = json.dumps({"listen_type": "single", "payload": [other]}).encode()
    head = bench.head_of(player.token, len(body))
    with socket.create_connection(("127.0.0.1", door.port)) as connection:
        connection.sendall(head + body)
    many = [web.listen(START + 1000 + 300 * number, f"Web {number}") for number in range(50)]
    web.submit("import", *many)
    # Killed: what was acknowledged stays, and its player sends it once more to the next service.
    door.kill()
    door.__enter__()
    web.submit("import", *many)
    player.submit("single", other)
    door.kill()
    door.build()
    door.build()
    assert door.titles("retries") == Counter(["Twice", "Cut off", *[f"Web {number}" for number in range(50)]])
    door.__enter__()
    shown = player.ask("GET", "user/retries/listens?count=100").json()["payload"]
    assert shown["count"] == player.ask("GET", "user/retries/listen-count").json()["payload"]["count"] == 52
    # One that was read by a run and comes again is shown once.
    player.submit("single", one)
    assert player.ask("GET", "user/retries/listens?count=100").json()["payload"]["count"] == 52


def test_mode_44_on_a_full_disk_the_player_is_told_to_send_it_again(tmp_path: Path) -> None:
    with Door(tmp_path) as door:
        player = door.navidrome("full")
        assert player.submit("single", player.listen(START, "Before")).status_code == 200
        # No file of the service may grow beyond this, as on a disk without room.
        resource.prlimit(door.process.pid, resource.RLIMIT_FSIZE, (4096, resource.RLIM_INFINITY))
        answers = [player.submit("single", player.listen(START + 300 * number, f"Full {number}")) for number in range(1, 20)]
        refused = [number for number, answer in enumerate(answers, 1) if answer.status_code != 200]
        assert refused
        for number in refused:
            answer = answers[number - 1]
            assert (answer.status_code, answer.json()["code"]) == (503, 503)
            assert not player.drops(answer)
        assert door.process.poll() is None
        large = [player.listen(START + 10_000 + 300 * number, f"Batch {number}") for number in range(30)]
        assert player.submit("import", *large).status_code == 503
        resource.prlimit(door.process.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        for number in refused:
            assert player.submit("single", player.listen(START + 300 * number, f"Full {number}")).status_code == 200
        door.process.terminate()
        door.process.wait(20)
        assert not list(door.inbox.rglob("_*.jsonl"))
        door.build()
        assert door.titles("full") == Counter(["Before", *[f"Full {number}" for number in range(1, 20)]])


def test_a_player_s_end_of_a_play_is_the_play_of_an_export(door: Door) -> None:
    export = [
        {"ts": "2023-11-14T22:16:21Z", "ms_played": 201_000, "master_metadata_track_name": "Tide"}
        | {"master_metadata_album_artist_name": "Vega", "master_metadata_album_album_name": "North"}
        | {"spotify_track_uri": "spotify:track:2J3n32GeLmMjwuAzyhcSNe", "platform": "ios", "conn_country": "DE"}
    ]
    folder = door.landing / "listeners" / "export"
    folder.mkdir(parents=True)
    (folder / "Streaming_History_Audio_2023.json").write_text(json.dumps(export))
    player = players(door.base, door.token("export"))[1]
    # The export's play began at START and took 201 s; one player tells the start, another one the end.
    assert player.submit("single", player.listen(START - 20 + 201, "Tide")).status_code == 200
    door.kill()
    door.build()
    door.__enter__()
    assert door.titles("export") == Counter(["Tide"])
    assert [row["sources"] for row in door.rows("silver.plays", user_id="export", disposition="kept")] == [["export", "scrobble"]]


def test_clients_that_send_everything_twice_to_a_server_that_is_killed_lose_and_double_nothing(tmp_path: Path) -> None:
    (tmp_path / "landing").mkdir()
    figures = bench.measured(tmp_path, listens=2000, kills=3, listeners=2)
    assert (figures["lost"], figures["doubled"], figures["rows"]["kept"]) == (0, 0, 2000)
    assert figures["door_rss_mb"] <= 150
