"""ListenBrainz' listens, each once, whatever the service does meanwhile; numbers are those of the list of failure modes."""

from __future__ import annotations

import datetime as dt
import itertools
import json
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import SecretStr

from polling.answers import AccountRefused, Answer, PollError, RetryLater
from polling.listenbrainz import ListenbrainzClient, listens_of
from polling.retries import Limits, ServiceFault
from polling.settings import ScrobbleSettings
from tests.polling import faults
from tests.polling.clock import FakeClock
from tests.polling.server import SERVER_NOW, TOKEN, Handler, Listen, MusicServer, msid

START = 1_700_000_000


def history(count: int, *, step: int = 180) -> list[Listen]:
    """So many listens of an artist, oldest first."""
    return [Listen(START + number * step, "Vega", f"Tide {number}") for number in range(count)]


@pytest.fixture
def server() -> Iterator[MusicServer]:
    with MusicServer(listenbrainz={"anna": history(3)}) as running:
        yield running


def client(
    server: MusicServer, clock: FakeClock | None = None, user: str = "anna", token: str | None = TOKEN
) -> ListenbrainzClient:
    """The real client; a thousand calls in no time."""
    chosen = ScrobbleSettings(
        listenbrainz_token=SecretStr(token) if token else None,
        listenbrainz_api_url=server.url,
        listenbrainz_calls=1000,
        listenbrainz_call_seconds=0.001,
    )
    return ListenbrainzClient(user, chosen, clock=clock or FakeClock(), limits=Limits(request_seconds=5))


def time(second: int) -> dt.datetime:
    return dt.datetime.fromtimestamp(second, dt.timezone.utc)


def listens(answers: Iterable[Answer]) -> list[Listen]:
    """What the items of answers point to, in their order."""
    result = []
    for answer in answers:
        rows = listens_of(answer.body)
        for item in answer.items:
            row = rows[item.position]
            names = row["track_metadata"]
            assert item.played_at == time(row["listened_at"])
            result.append(Listen(row["listened_at"], names["artist_name"], names["track_name"], names["release_name"]))
    return result


def windowed(server: MusicServer, start: int, end: int) -> list[Listen]:
    return listens(client(server).window(time(start), time(end)))


def test_recent_listens_come_newest_first_with_what_was_asked(server: MusicServer) -> None:
    answer = next(client(server).recent())
    assert listens([answer]) == history(3)[::-1]
    assert (answer.source, answer.account_id, answer.server_date) == ("listenbrainz_api", "anna", SERVER_NOW)
    assert answer.request == {"endpoint": "/1/user/anna/listens", "count": "200"}
    assert answer.items[0].key == f"{START + 360}:{msid(history(3)[2])}"
    assert server.asked[0].headers["Authorization"] == f"Token {TOKEN}"


def test_listens_are_read_without_a_token_too(server: MusicServer) -> None:
    assert listens(client(server, token=None).recent()) == history(3)[::-1]
    assert "Authorization" not in server.asked[0].headers


@pytest.mark.parametrize("user", ["a b/c?d#e", "ärger", "../x"])
def test_any_name_stays_one_part_of_the_path(server: MusicServer, user: str) -> None:
    server.listenbrainz[user.lower()] = history(1)
    server.answer = lambda asked: (200, {"payload": {"listens": [], "user_id": user}}, {})  # type: ignore[method-assign]
    paths = list[str]()

    def noted(handler: Handler, body: bytes) -> None:
        paths.append(handler.path)
        handler.whole(body)

    server.plan([noted])
    (answer,) = client(server, user=user).recent()
    assert answer.request["endpoint"] == paths[0].partition("?")[0]
    assert paths[0].count("/") == 4


def test_all_pages_hold_all_listens_once(server: MusicServer) -> None:
    server.listenbrainz["anna"] = history(1234)
    assert listens(client(server).recent()) == history(1234)[::-1]


def test_a_window_is_half_open(server: MusicServer) -> None:
    server.listenbrainz["anna"] = history(3000, step=1)
    assert windowed(server, START + 100, START + 1700) == history(3000, step=1)[100:1700][::-1]
    assert len(server.asked) == 4


def test_windows_side_by_side_hold_each_listen_once(server: MusicServer) -> None:
    server.listenbrainz["anna"] = history(900, step=7)
    edges = [0, START, START + 1, START + 1400, START + 1407, START + 10_000]
    found = [one for start, end in itertools.pairwise(edges) for one in windowed(server, start, end)]
    assert sorted(found) == history(900, step=7)


def test_a_month_without_listens_ends_after_one_page(server: MusicServer) -> None:
    assert [answer.items for answer in client(server).window(time(START + 1000), time(START + 2000))] == [()]
    assert len(server.asked) == 1


def test_mode_21_no_listen_of_a_page_border_comes_twice_and_none_is_lost(server: MusicServer) -> None:
    triples = [Listen(START + number // 3 * 180, "Vega", f"Tide {number}") for number in range(1601)]
    server.listenbrainz["anna"] = triples
    assert Counter(listens(client(server).recent())) == Counter(triples)


def shift(server: MusicServer, count: int) -> None:
    """A new listen before each answer, a late one that was played long ago, and one that is deleted."""
    listens = server.listenbrainz["anna"]
    listens.append(Listen(START + 10**6 + count, "New", "Now"))
    listens.append(Listen(START + 1, f"Late {count}", "Offline"))
    listens.remove(Listen(START + (1499 - count) * 180, "Vega", f"Tide {1499 - count}"))


def test_mode_22_listens_that_come_or_go_meanwhile_move_no_other(server: MusicServer) -> None:
    server.listenbrainz["anna"] = history(1500)
    server.before_answer = shift
    found = Counter(listens(client(server).recent()))
    staying = set(history(1500)) & set(server.listenbrainz["anna"])
    assert {one: found[one] for one in staying} == dict.fromkeys(staying, 1)
    assert max(found.values()) == 1


def test_mode_23_a_page_that_fails_is_tried_again_then_halved(server: MusicServer) -> None:
    server.listenbrainz["anna"] = history(900)
    server.plan([None, *[faults.status(500)] * 4])
    assert listens(client(server).window(time(0), time(START + 10**6))) == history(900)[::-1]
    counts = [asked.params["count"] for asked in server.asked]
    assert counts[:6] == ["500"] * 5 + ["250"]
    assert set(counts[6:]) == {"250"}


@pytest.mark.parametrize("value", [None, "1700000180", True, 1e300, -5])
def test_mode_26_a_listen_without_a_time_is_an_item_without_one(server: MusicServer, value: Any) -> None:
    def damage(handler: Handler, body: bytes) -> None:
        content = json.loads(body)
        content["payload"]["listens"][1]["listened_at"] = value
        handler.whole(json.dumps(content).encode())

    server.plan([damage])
    answer = next(client(server).recent())
    assert [item.played_at for item in answer.items] == [time(START + 360), None, time(START)]


@pytest.mark.parametrize(
    ("code", "remedy"),
    [(401, "LISTENBRAINZ_TOKEN"), (403, "https://listenbrainz.org"), (404, "check the name anna")],
)
def test_modes_7_to_9_a_refused_account_names_the_remedy(server: MusicServer, code: int, remedy: str) -> None:
    server.plan([faults.status(code, {"code": code, "error": "no"})])
    with pytest.raises(AccountRefused, match=r"^ListenBrainz account anna") as failed:
        next(client(server).recent())
    assert remedy in failed.value.remedy
    assert len(server.asked) == 1


def test_a_wrong_token_and_an_unknown_account_are_refused_by_the_service_itself(server: MusicServer) -> None:
    with pytest.raises(AccountRefused, match="token is refused") as failed:
        next(client(server, token="planted-other-1").recent())  # noqa: S106
    assert "planted-other-1" not in str(failed.value)
    with pytest.raises(AccountRefused, match="no such account"):
        next(client(server, user="ben").recent())


def test_mode_28_the_rate_limit_says_when_it_ends(server: MusicServer) -> None:
    clock = FakeClock()
    server.plan([faults.status(429, {"code": 429, "error": "slow"}, {"X-RateLimit-Reset-In": "9"})])
    assert len(listens(client(server, clock).recent())) == 3
    assert clock.pauses[0] == 9.0


def test_mode_28_a_limit_that_is_reached_is_waited_for_before_the_next_request(server: MusicServer) -> None:
    clock, server.requests_left = FakeClock(), 0
    answers = client(server, clock).recent()
    next(answers)
    assert clock.pauses == []
    next(answers)
    assert clock.pauses == [7.0]


def test_mode_1_a_pause_of_hours_is_given_back_at_once(server: MusicServer) -> None:
    clock = FakeClock()
    server.plan([faults.status(429, {}, {"X-RateLimit-Reset-In": "80000"})])
    with pytest.raises(RetryLater) as failed:
        next(client(server, clock).recent())
    assert (failed.value.retry_at, clock.pauses) == (clock.now() + dt.timedelta(seconds=80_000), [])


@pytest.mark.parametrize(
    "content",
    [b"{}", b"[]", b"null", b'{"payload": []}', b'{"payload": {"listens": {}}}', b'{"code": 500, "error": "x"}'],
)
def test_mode_29_json_without_listens_is_a_failure_and_not_an_empty_account(server: MusicServer, content: bytes) -> None:
    server.plan([faults.content(content)])
    assert listens(client(server).recent()) == history(3)[::-1]
    server.plan(itertools.repeat(faults.content(content)))
    with pytest.raises(ServiceFault):
        next(client(server).recent())


def test_listens_of_another_account_are_refused(server: MusicServer) -> None:
    server.plan([faults.content(b'{"payload": {"user_id": "ben", "listens": []}}')])
    with pytest.raises(PollError, match="about another account, ben"):
        next(client(server).recent())


def test_mode_30_two_listens_of_one_second_are_both_kept(server: MusicServer) -> None:
    server.listenbrainz["anna"] = [Listen(START, "Vega", "Tide"), Listen(START, "Vega", "Ebb"), Listen(START, "Lyra", "Tide")]
    assert len(listens(client(server).recent())) == 3


@pytest.mark.parametrize("at_once", [50, 51, 500, 501, 999])
def test_mode_31_a_second_that_fills_a_page_is_asked_for_in_a_larger_one(server: MusicServer, at_once: int) -> None:
    crowd = [Listen(START + 180, "Vega", f"At once {number}") for number in range(at_once)]
    server.listenbrainz["anna"] = [*history(5), *crowd]
    assert Counter(listens(client(server).recent())) == Counter([*history(5), *crowd])


@pytest.mark.parametrize("at_once", [60, 300, 700])
def test_mode_31_the_order_within_a_second_may_change(server: MusicServer, at_once: int) -> None:
    crowd = [Listen(START + 180, "Vega", f"At once {number}") for number in range(at_once)]
    server.listenbrainz["anna"], server.shuffles_seconds = [*history(5), *crowd], True
    assert Counter(listens(client(server).recent())) == Counter([*history(5), *crowd])


def test_mode_31_a_second_that_fills_the_largest_page_is_reported(server: MusicServer, caplog: pytest.LogCaptureFixture) -> None:
    crowd = [Listen(START + 180, "Vega", f"At once {number}") for number in range(1300)]
    around = [one for one in history(300) if one.second != START + 180]
    server.listenbrainz["anna"] = [*around, *crowd]
    answers = list(client(server).recent())
    found = Counter(listens(answers))
    assert (max(found.values()), len(found), set(around) - set(found)) == (1, len(around) + 1000, set())
    assert [answer.request["unread_second"] for answer in answers if "unread_second" in answer.request] == [str(START + 180)]
    assert "the others cannot be read" in caplog.text


def test_modes_32_and_33_keys_stay_when_others_go_and_change_with_an_edit(server: MusicServer) -> None:
    before = next(client(server).recent())
    server.listenbrainz["anna"] = [history(3)[0], Listen(START + 180, "Vega", "Tides 1"), history(3)[2]]
    after = next(client(server).recent())
    same = [old.key == new.key for old, new in zip(before.items, after.items, strict=True)]
    assert same == [True, False, True]


def test_a_mirror_without_ids_has_keys_of_second_and_names(server: MusicServer) -> None:
    def without_ids(handler: Handler, body: bytes) -> None:
        content = json.loads(body)
        for listen in content["payload"]["listens"]:
            del listen["recording_msid"]
        handler.whole(json.dumps(content).encode())

    server.listenbrainz["anna"] = [Listen(START, "Vega", "Tide"), Listen(START, "Vega", "Ebb")]
    server.plan([without_ids] * 2)
    first, second = (next(client(server).recent()) for _ in range(2))
    assert first.items == second.items
    assert len({item.key for item in first.items}) == 2


def test_mode_34_the_date_is_the_servers_and_no_bound_is_the_local_clock(server: MusicServer) -> None:
    answers = list(client(server, FakeClock()).recent())
    assert {answer.server_date for answer in answers} == {SERVER_NOW}
    assert "max_ts" not in server.asked[0].params
    assert server.asked[1].params["max_ts"] == str(START + 1)


def test_mode_35_a_listen_of_the_future_is_kept_and_moves_no_bound(server: MusicServer) -> None:
    future = Listen(int(SERVER_NOW.timestamp()) + 400 * 86_400, "Vega", "Not yet")
    server.listenbrainz["anna"] = [*history(120), future]
    assert listens(client(server).recent()) == [future, *history(120)[::-1]]


TIMES = st.integers(0, 400)
NAMES = st.sampled_from(["Tide", "Ebb", "Nacht", "夜", "🌊"])


@settings(max_examples=25, deadline=None)
@given(st.sets(st.tuples(TIMES, NAMES, NAMES), max_size=300), st.integers(0, 2**32), TIMES, TIMES)
def test_modes_36_to_40_any_history_through_any_faults_is_read_once(
    rows: set[tuple[int, str, str]], seed: int, first: int, second: int
) -> None:
    all_listens = [Listen(START + at, artist, title) for at, artist, title in rows]
    start, end = START + min(first, second), START + max(first, second)
    with MusicServer(listenbrainz={"anna": all_listens}) as server:
        server.plan(faults.seeded(seed, 0.4))
        assert Counter(listens(client(server).recent())) == Counter(all_listens)
        assert Counter(windowed(server, start, end)) == Counter(one for one in all_listens if start <= one.second < end)
