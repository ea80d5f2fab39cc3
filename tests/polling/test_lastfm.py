"""Last.fm's scrobbles, each once, whatever the service does meanwhile; numbers are those of the list of failure modes."""

from __future__ import annotations

import datetime as dt
import itertools
import json
import random
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import SecretStr

from polling.answers import AccountRefused, Answer, PollError, RetryLater
from polling.lastfm import LastfmClient, scrobbles_of
from polling.retries import Limits, ServiceFault
from polling.settings import ScrobbleSettings
from tests.polling import faults
from tests.polling.clock import FakeClock
from tests.polling.server import API_KEY, SERVER_NOW, Asked, Fault, Handler, Listen, MusicServer

START = 1_700_000_000


def history(count: int, *, step: int = 180, start: int = START) -> list[Listen]:
    """So many scrobbles of an artist, oldest first."""
    return [Listen(start + number * step, "Vega", f"Tide {number}") for number in range(count)]


@pytest.fixture
def server() -> Iterator[MusicServer]:
    with MusicServer(lastfm={"anna": history(3)}) as running:
        yield running


def client(server: MusicServer, clock: FakeClock | None = None, user: str = "anna") -> LastfmClient:
    """The real client; a thousand calls in no time."""
    key = SecretStr(API_KEY)
    chosen = ScrobbleSettings(lastfm_api_key=key, lastfm_api_url=server.url, lastfm_calls=1000, lastfm_call_seconds=0.001)
    return LastfmClient(user, chosen, clock=clock or FakeClock(), limits=Limits(request_seconds=5))


def time(second: int) -> dt.datetime:
    return dt.datetime.fromtimestamp(second, dt.timezone.utc)


def listens(answers: Iterable[Answer]) -> list[Listen]:
    """What the items of answers point to, in their order."""
    result = []
    for answer in answers:
        rows = scrobbles_of(answer.body)
        for item in answer.items:
            row = rows[item.position]
            second = int(row["date"]["uts"])
            assert item.played_at == time(second)
            result.append(Listen(second, row["artist"]["#text"], row["name"], row["album"]["#text"]))
    return result


def windowed(server: MusicServer, start: int, end: int) -> list[Listen]:
    return listens(client(server).window(time(start), time(end)))


def test_recent_scrobbles_come_newest_first_with_what_was_asked(server: MusicServer) -> None:
    answer = next(client(server).recent())
    assert listens([answer]) == history(3)[::-1]
    assert (answer.source, answer.account_id, answer.server_date) == ("lastfm_api", "anna", SERVER_NOW)
    asked = {"method": "user.getrecenttracks", "user": "anna", "limit": "200", "extended": "0"}
    assert answer.request == {"endpoint": "/2.0/", **asked}
    assert API_KEY not in json.dumps(answer.body)
    assert len({item.key for item in answer.items}) == 3


def test_a_poll_that_has_seen_enough_asks_once(server: MusicServer) -> None:
    server.lastfm["anna"] = history(1000)
    next(client(server).recent())
    assert len(server.asked) == 1


def test_all_pages_hold_all_scrobbles_once(server: MusicServer) -> None:
    server.lastfm["anna"] = history(1234)
    assert listens(client(server).recent()) == history(1234)[::-1]
    assert len(server.asked) == 7


@pytest.mark.parametrize("is_inclusive", [False, True])
def test_a_window_is_half_open_whatever_the_bounds_of_the_service_are(server: MusicServer, is_inclusive: bool) -> None:
    server.to_is_inclusive = is_inclusive
    server.lastfm["anna"] = history(1000, step=1)
    assert windowed(server, START + 100, START + 700) == history(1000, step=1)[100:700][::-1]


def test_windows_side_by_side_hold_each_scrobble_once(server: MusicServer) -> None:
    server.lastfm["anna"] = history(900, step=7)
    edges = [0, START, START + 1, START + 1400, START + 1407, START + 10_000]
    pairs = itertools.pairwise(edges)
    found = [one for start, end in pairs for one in windowed(server, start, end)]
    assert sorted(found) == history(900, step=7)


def test_an_account_without_scrobbles_has_one_empty_answer(server: MusicServer) -> None:
    server.lastfm["anna"] = []
    assert [answer.items for answer in client(server).recent()] == [()]


@pytest.mark.parametrize("playing", [None, Listen(0, "Vega", "Now")])
def test_a_single_row_without_a_list_is_read(server: MusicServer, playing: Listen | None) -> None:
    server.lastfm["anna"], server.playing = history(1), playing
    assert listens(client(server).recent()) == history(1)


def test_mode_21_no_scrobble_of_a_page_border_comes_twice(server: MusicServer) -> None:
    pairs = [Listen(START + number // 2 * 180, "Vega", f"Tide {number}") for number in range(701)]
    server.lastfm["anna"] = pairs
    assert Counter(listens(client(server).recent())) == Counter(pairs)


def shift(server: MusicServer, count: int) -> None:
    """New scrobbles before each answer, late ones that were played long ago, and one that is deleted."""
    listens = server.lastfm["anna"]
    listens.append(Listen(START + 10**6 + count, "New", "Now"))
    listens.append(Listen(START + 1, f"Late {count}", "Offline"))
    listens.remove(Listen(START + (799 - count) * 180, "Vega", f"Tide {799 - count}"))


def test_mode_22_scrobbles_that_come_or_go_meanwhile_move_no_other(server: MusicServer) -> None:
    server.lastfm["anna"] = history(800)
    server.before_answer = shift
    found = Counter(listens(client(server).recent()))
    staying = set(history(800)) & set(server.lastfm["anna"])
    assert {one: found[one] for one in staying} == dict.fromkeys(staying, 1)
    assert max(found.values()) == 1
    bounds = [int(asked.params["to"]) for asked in server.asked[1:]]
    assert bounds == sorted(bounds, reverse=True)
    assert max(bounds) < START + 10**6 + len(server.asked)


def test_mode_23_a_page_that_fails_is_tried_again_then_halved_and_what_was_read_stays(server: MusicServer) -> None:
    server.lastfm["anna"] = history(450)
    server.plan([None, *[faults.error_body(8, 500)] * 4])
    answers = client(server).window(time(0), time(START + 10**6))
    assert len(listens([next(answers)])) == 200
    assert listens(answers) == history(450)[:250][::-1]
    limits = [int(asked.params["limit"]) for asked in server.asked]
    assert limits == [200, 200, 200, 200, 200, 100, 100, 100]


def test_mode_23_a_page_that_always_fails_ends_the_poll_after_what_was_read(server: MusicServer) -> None:
    server.lastfm["anna"] = history(450)
    server.plan(itertools.chain([None], itertools.repeat(faults.error_body(8))))
    answers = client(server).window(time(0), time(START + 10**6))
    assert len(next(answers).items) == 200
    with pytest.raises(ServiceFault, match=r"Last.fm account anna: error 8: made-up message 8 \(4 attempts\)"):
        next(answers)
    assert {int(asked.params["limit"]) for asked in server.asked} == {200, 100, 50, 25}


def test_mode_24_a_backfill_by_windows_can_be_broken_off_anywhere(server: MusicServer) -> None:
    server.lastfm["anna"] = history(2000, step=3600 * 2)
    month, done, chance = 30 * 86_400, dict[int, list[Listen]](), random.Random(17)  # noqa: S311
    edges = [START - 5 + number * month for number in range(8)]
    while len(done) < 7:
        # A process that is killed before a window's end keeps the windows that it finished.
        pages = chance.randrange(1, 9)
        for start in reversed(edges[:-1]):
            if start not in done:
                answers = list(itertools.islice(client(server).window(time(start), time(start + month)), pages))
                pages -= len(answers)
                if pages <= 0:
                    break
                done[start] = listens(answers)
    assert sorted(one for some in done.values() for one in some) == history(2000, step=3600 * 2)


def test_mode_25_what_is_playing_just_now_is_no_scrobble_on_any_page(server: MusicServer) -> None:
    server.playing, server.lastfm["anna"] = Listen(0, "Vega", "Now"), history(600)
    assert listens(client(server).recent()) == history(600)[::-1]
    assert len(server.asked) == 4


def test_mode_26_a_scrobble_of_1970_is_kept_as_it_is(server: MusicServer) -> None:
    old = Listen(0, "Vega", "No clock")
    server.lastfm["anna"] = [old, *history(2)]
    (answer,) = client(server).recent()
    assert answer.items[-1].played_at == time(0)
    assert windowed(server, 0, 1) == [old]


@pytest.mark.parametrize("value", ["", "soon", "-5", "9" * 30, None])
def test_mode_26_a_scrobble_without_a_time_is_an_item_without_one(server: MusicServer, value: Any) -> None:
    def damage(handler: Handler, body: bytes) -> None:
        content = json.loads(body)
        content["recenttracks"]["track"][1]["date"]["uts"] = value
        handler.whole(json.dumps(content).encode())

    server.plan([damage])
    (answer,) = client(server).recent()
    assert [item.played_at for item in answer.items] == [time(START + 360), None, time(START)]
    assert len({item.key for item in answer.items}) == 3


def test_mode_27_hidden_listening_names_the_switch(server: MusicServer) -> None:
    server.hidden.add("anna")
    with pytest.raises(AccountRefused, match=r"^Last\.fm account anna: error 17") as failed:
        next(client(server).recent())
    assert "https://www.last.fm/settings/privacy" in failed.value.remedy
    assert len(server.asked) == 1


@pytest.mark.parametrize("code", [200, 400, 429])
def test_mode_28_the_rate_limit_is_a_minute_and_then_a_time_to_come_back(server: MusicServer, code: int) -> None:
    clock = FakeClock()
    server.plan([faults.error_body(29, code)] * 2)
    with pytest.raises(RetryLater, match=r"^Last\.fm account anna") as failed:
        next(client(server, clock).recent())
    assert clock.pauses == [60.0]
    assert failed.value.retry_at == clock.now() + dt.timedelta(seconds=120)


@pytest.mark.parametrize("code", [200, 400, 500, 503])
@pytest.mark.parametrize("number", [8, 11, 16])
def test_mode_29_a_passing_error_counts_with_any_status(server: MusicServer, number: int, code: int) -> None:
    server.plan([faults.error_body(number, code)])
    assert listens(client(server).recent()) == history(3)[::-1]
    assert len(server.asked) == 2


@pytest.mark.parametrize(("number", "code"), [(2, 200), (6, 400), (7, 200), (13, 403), (99, 500)])
def test_mode_29_a_lasting_error_is_not_tried_again(server: MusicServer, number: int, code: int) -> None:
    server.plan([faults.error_body(number, code)])
    with pytest.raises(PollError, match=f"^Last.fm account anna: error {number}: made-up message {number}$"):
        next(client(server).recent())
    assert len(server.asked) == 1


@pytest.mark.parametrize("code", [200, 403])
@pytest.mark.parametrize("number", [10, 26])
def test_a_refused_key_names_its_setting(server: MusicServer, number: int, code: int) -> None:
    server.plan([faults.error_body(number, code)])
    with pytest.raises(AccountRefused) as failed:
        next(client(server).recent())
    assert "LASTFM_API_KEY" in failed.value.remedy


def test_no_key_is_refused_before_anything_is_asked(server: MusicServer) -> None:
    with pytest.raises(AccountRefused, match="LASTFM_API_KEY is not set"):
        LastfmClient("anna", ScrobbleSettings(lastfm_api_key=None, lastfm_api_url=server.url))


@pytest.mark.parametrize("code", [200, 404])
def test_an_account_that_is_gone_is_refused(server: MusicServer, code: int) -> None:
    if code == 200:
        server.plan([faults.content(b'{"error": "6", "message": "User not found"}')])
    with pytest.raises(AccountRefused, match="error 6: User not found") as failed:
        next(client(server, user="ben").recent())
    assert "kept" in failed.value.remedy


def test_names_of_accounts_are_the_same_in_any_case(server: MusicServer) -> None:
    (answer,) = client(server, user="Anna").recent()
    assert (answer.account_id, len(answer.items)) == ("anna", 3)


def test_scrobbles_of_another_account_are_refused(server: MusicServer) -> None:
    server.plan([faults.content(b'{"recenttracks": {"@attr": {"user": "ben", "total": "0"}, "track": []}}')])
    with pytest.raises(PollError, match="about another account, ben"):
        next(client(server).recent())


@pytest.mark.parametrize(
    "content",
    [
        b"{}",
        b"[]",
        b"null",
        b'{"recenttracks": []}',
        b'{"recenttracks": {"track": "none"}}',
        b'{"recenttracks": {"@attr": {"user": "anna", "total": "9"}, "track": []}}',
    ],
)
def test_json_without_scrobbles_is_a_failure_and_not_an_empty_account(server: MusicServer, content: bytes) -> None:
    server.plan([faults.content(content)])
    assert listens(client(server).recent()) == history(3)[::-1]
    server.plan(itertools.repeat(faults.content(content)))
    with pytest.raises(ServiceFault):
        next(client(server).recent())


def test_mode_30_two_scrobbles_of_one_second_are_both_kept(server: MusicServer) -> None:
    server.lastfm["anna"] = [Listen(START, "Vega", "Tide"), Listen(START, "Vega", "Ebb"), Listen(START, "Lyra", "Tide")]
    (answer,) = client(server).recent()
    assert len({item.key for item in answer.items}) == len(listens([answer])) == 3


@pytest.mark.parametrize("at_once", [50, 51, 200, 201, 999])
def test_mode_31_a_second_that_fills_a_page_is_asked_for_in_a_larger_one(server: MusicServer, at_once: int) -> None:
    crowd = [Listen(START + 180, "Vega", f"At once {number}") for number in range(at_once)]
    server.lastfm["anna"] = [*history(5), *crowd]
    assert Counter(listens(client(server).recent())) == Counter([*history(5), *crowd])


@pytest.mark.parametrize("at_once", [60, 300, 700])
def test_mode_31_the_order_within_a_second_may_change(server: MusicServer, at_once: int) -> None:
    crowd = [Listen(START + 180, "Vega", f"At once {number}") for number in range(at_once)]
    server.lastfm["anna"], server.shuffles_seconds = [*history(5), *crowd], True
    assert Counter(listens(client(server).recent())) == Counter([*history(5), *crowd])


def test_mode_31_a_second_that_fills_the_largest_page_is_reported(server: MusicServer, caplog: pytest.LogCaptureFixture) -> None:
    crowd = [Listen(START + 180, "Vega", f"At once {number}") for number in range(1300)]
    around = [one for one in history(300) if one.second != START + 180]
    server.lastfm["anna"] = [*around, *crowd]
    answers = list(client(server).recent())
    found = Counter(listens(answers))
    assert max(found.values()) == 1
    assert {one for one in found if one.title.startswith("Tide")} == set(around)
    assert len(found) == len(around) + 1000
    assert [answer.request["unread_second"] for answer in answers if "unread_second" in answer.request] == [str(START + 180)]
    assert "account anna: the second 2023-11-14 22:16:20+00:00 has 1000 listens or more" in caplog.text


def test_mode_32_a_deleted_scrobble_is_absent_and_the_others_keep_their_keys(server: MusicServer) -> None:
    (before,) = client(server).recent()
    del server.lastfm["anna"][1]
    (after,) = client(server).recent()
    assert {item.key for item in before.items} - {item.key for item in after.items} == {before.items[1].key}
    assert len(after.items) == 2


@pytest.mark.parametrize(
    ("edited", "is_new"),
    [
        (Listen(START, "Vega", "Tides"), True),
        (Listen(START, "Véga", "Tide"), True),
        (Listen(START + 1, "Vega", "Tide"), True),
        (Listen(START, "Vega", "Tide", "North"), False),
    ],
)
def test_mode_33_an_edited_scrobble_has_a_new_key_and_another_album_is_none(
    server: MusicServer, edited: Listen, is_new: bool
) -> None:
    keys = []
    for one in (Listen(START, "Vega", "Tide"), edited):
        server.lastfm["anna"] = [one]
        (answer,) = client(server).recent()
        keys.append(answer.items[0].key)
    assert (keys[0] != keys[1]) == is_new


def test_mode_34_the_date_is_the_servers_and_no_bound_is_the_local_clock(server: MusicServer) -> None:
    server.lastfm["anna"] = history(500)
    answers = list(client(server, FakeClock()).recent())
    assert {answer.server_date for answer in answers} == {SERVER_NOW}
    assert "to" not in server.asked[0].params
    assert [asked.params["to"] for asked in server.asked[1:]] == [str(START + number * 180 + 1) for number in (300, 101)]


def test_mode_35_a_scrobble_of_the_future_is_kept_and_moves_no_bound(server: MusicServer) -> None:
    future = Listen(int(SERVER_NOW.timestamp()) + 400 * 86_400, "Vega", "Not yet")
    server.lastfm["anna"] = [*history(120), future]
    assert listens(client(server).recent()) == [future, *history(120)[::-1]]


def test_a_service_that_ignores_bounds_is_a_failure_and_no_endless_loop(server: MusicServer) -> None:
    server.lastfm["anna"] = history(200)

    def unbounded(handler: Handler, body: bytes) -> None:
        asked = Asked("/2.0/", {"user": "anna", "limit": "50", "api_key": API_KEY}, {})
        handler.whole(json.dumps(server.answer(asked)[1]).encode())

    server.plan(itertools.repeat(unbounded))
    with pytest.raises(PollError, match="listens after the time that was asked for"):
        list(client(server).recent())


def test_a_body_that_is_too_large_is_asked_for_in_smaller_pages(server: MusicServer) -> None:
    server.lastfm["anna"] = history(300)
    large = faults.content(b'{"a": "' + b"x" * 9 * 2**20 + b'"}')
    server.plan([None, large])
    assert listens(client(server).recent()) == history(300)[::-1]
    assert [asked.params["limit"] for asked in server.asked] == ["200", "200", "100", "100"]


ERRORS: dict[str, Fault] = {f"error {number}": faults.error_body(number) for number in (8, 11, 16)}
TIMES = st.integers(0, 400)
NAMES = st.sampled_from(["Tide", "Ebb", "Nacht", "夜", "🌊"])


@settings(max_examples=25, deadline=None)
@given(st.sets(st.tuples(TIMES, NAMES, NAMES), max_size=300), st.integers(0, 2**32), st.booleans(), TIMES, TIMES)
def test_modes_36_to_40_any_history_through_any_faults_is_read_once(
    rows: set[tuple[int, str, str]], seed: int, is_inclusive: bool, first: int, second: int
) -> None:
    all_listens = [Listen(START + at, artist, title) for at, artist, title in rows]
    start, end = START + min(first, second), START + max(first, second)
    with MusicServer(lastfm={"anna": all_listens}, to_is_inclusive=is_inclusive, playing=Listen(0, "Vega", "Now")) as server:
        server.plan(faults.seeded(seed, 0.4, {**faults.PASSING, **ERRORS}))
        assert Counter(listens(client(server).recent())) == Counter(all_listens)
        assert Counter(windowed(server, start, end)) == Counter(one for one in all_listens if start <= one.second < end)


@pytest.mark.parametrize("make", [lambda: time(START), lambda: time(START) + dt.timedelta(milliseconds=1)])
def test_bounds_between_seconds_are_rounded_up(server: MusicServer, make: Callable[[], dt.datetime]) -> None:
    start = make()
    expected = [one for one in history(3) if time(one.second) >= start]
    assert sorted(listens(client(server).window(start, time(START + 10**6)))) == expected
