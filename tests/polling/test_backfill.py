"""Backfills: every play once, whatever breaks them off, and no request more than needed."""

from __future__ import annotations

import datetime as dt
import json
import random
import sqlite3
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from polling.backfill import Wanted, backfill
from tests.polling import faults
from tests.polling.listed import ListClient, account
from tests.polling.past import SOURCES, Past, Seen, history, second
from tests.polling.server import SERVER_NOW, Listen, MusicServer
from tests.polling.test_poll import killed_at

NOW = "2026-11-30"


@pytest.fixture
def server() -> Iterator[MusicServer]:
    with MusicServer(lastfm={"anna": []}, listenbrainz={"anna": []}) as running:
        yield running


@pytest.fixture(params=SOURCES)
def past(server: MusicServer, tmp_path: Path, request: pytest.FixtureRequest) -> Past:
    return Past(server, tmp_path, request.param)


def test_months_are_read_newest_first_each_play_once_and_the_poll_goes_on_as_before(past: Past) -> None:
    past.listens = history("2026-07-20", 1500)
    outcome = past.backfill()
    assert past.received() == past.listens
    assert (outcome.status, outcome.new_plays) == ("polled", 1500)
    assert past.seen.months == ["2026-11", "2026-10", "2026-09", "2026-08", "2026-07"]
    assert outcome.progress is not None
    # 372 listens in a month of 31 days, one every two hours; the first poll brought 200 of the newest.
    assert dict(outcome.progress.months) == {"2026-11": 252 - 200, "2026-10": 372, "2026-09": 360, "2026-08": 372, "2026-07": 144}
    assert outcome.progress.is_complete
    before, asked = past.state(), len(past.server.asked)
    assert (before.sequence, before.cursor) == (1, dt.datetime(2026, 11, 21, 22, tzinfo=dt.timezone.utc))
    past.listens += history("2026-11-30", 3)
    assert past.poll().new_plays == 3
    assert len(past.server.asked) == asked + 1
    assert past.received() == past.listens
    assert past.backfill().new_plays == 0
    assert len(past.server.asked) == asked + 1


def test_long_empty_stretches_cost_one_request(past: Past) -> None:
    past.listens = [*history("2003-05-01", 10), *history("2011-02-27", 60), *history("2026-11-20", 230, 3600)]
    past.backfill()
    assert past.received() == past.listens
    # The poll, the rest of November, 2011-03, 2011-02 and 2003; ListenBrainz says twice that there is nothing else.
    assert len(past.server.asked) == (5 if past.source == "lastfm_api" else 7)
    assert past.most_often() == 1


def test_one_empty_month_costs_one_request_at_most(past: Past) -> None:
    past.listens = [*history("2026-07-01", 500, 60), *history("2026-09-01", 500, 60), *history("2026-11-20", 80)]
    past.backfill()
    assert past.received() == past.listens
    pages = 3 * 3 if past.source == "lastfm_api" else 3 * 2
    assert len(past.server.asked) <= 1 + pages + 2 + 1


def test_it_ends_where_it_is_told_to_and_goes_on_from_there(past: Past) -> None:
    past.listens = history("2026-06-01", 2000)
    outcome = past.backfill("2026-09")
    assert outcome.progress is not None
    assert (outcome.progress.is_complete, outcome.progress.month) == (False, "2026-08")
    assert past.received() == [one for one in past.listens if one.second >= second("2026-09-01")]
    assert past.backfill("2026-10").new_plays == 0
    past.backfill()
    assert past.received() == past.listens
    assert past.most_often() == 1


def test_an_account_without_plays_has_nothing_to_fill(past: Past) -> None:
    assert (past.backfill().status, past.received()) == ("polled", [])
    past.listens = history("2026-11-01", 200)
    past.backfill()
    assert past.received() == past.listens


def test_polls_between_broken_off_backfills_change_nothing_of_either(past: Past) -> None:
    past.listens = history("2026-05-01", 1000)
    past.calls = 3
    for number in range(40):
        outcome = past.backfill(now=SERVER_NOW + dt.timedelta(days=number))
        assert (outcome.status, outcome.gaps) in {("waiting", ()), ("polled", ())}
        if outcome.status == "polled":
            break
        assert outcome.retry_at is not None
        assert past.state().retry_at == outcome.retry_at
        past.listens = [*past.listens, Listen(second("2026-11-01") + number * 60, "Lyra", f"Later {number}")]
        polled = past.poll(SERVER_NOW + dt.timedelta(days=number, hours=12))
        assert (polled.status, polled.new_plays, polled.gaps) == ("polled", 1, ())
    assert outcome.status == "polled"
    assert past.received() == sorted(past.listens)


def test_a_wait_keeps_what_is_done_and_is_kept_to(past: Past) -> None:
    past.listens = history("2026-09-01", 900)
    past.server.plan([None, None, faults.status(429, {}, {"Retry-After": "80000"})])
    outcome = past.backfill()
    assert (outcome.status, outcome.retry_at) == ("waiting", SERVER_NOW + dt.timedelta(seconds=80_000))
    brought = len(past.received())
    assert brought == outcome.new_plays > 200
    asked = len(past.server.asked)
    assert past.backfill(now=SERVER_NOW + dt.timedelta(seconds=79_999)).status == "waiting"
    assert len(past.server.asked) == asked
    past.backfill(now=SERVER_NOW + dt.timedelta(seconds=80_000))
    assert past.received() == past.listens
    assert past.state().retry_at is None


def test_a_play_that_a_poll_brought_late_is_not_new_again(past: Past) -> None:
    past.listens = history("2026-11-01", 60)
    late = Listen(past.listens[20].second + 5, "Lyra", "Offline")
    past.poll()
    past.listens += [late]
    assert past.poll().new_plays == 1
    past.backfill()
    assert past.received() == sorted(past.listens)


def test_a_state_that_is_lost_doubles_nothing(past: Past) -> None:
    past.listens = history("2026-09-01", 900)
    past.calls = 4
    past.backfill()
    past.place.state.unlink()
    past.calls = 1000
    outcome = past.backfill()
    assert outcome.status == "polled"
    assert past.received() == past.listens


def test_a_state_of_before_backfills_is_read(past: Past) -> None:
    past.listens = history("2026-10-20", 300)
    past.poll()
    document = json.loads(past.place.state.read_text())
    for name in ("reached", "backfill", "comparison", "vanished", "backfill_sequence"):
        del document[name]
    past.place.state.write_text(json.dumps(document))
    past.backfill()
    assert past.received() == past.listens


def test_spotify_has_none_and_says_what_helps(tmp_path: Path) -> None:
    client = ListClient([1, 2])
    [outcome] = backfill([account(client)], tmp_path, SERVER_NOW, Wanted(), Seen())
    assert outcome.status == "no backfill"
    assert "export" in str(outcome.reason)
    assert client.asked == 0


def test_a_temporary_folder_that_is_full_keeps_what_is_there(past: Past, monkeypatch: pytest.MonkeyPatch) -> None:
    past.listens = history("2026-09-01", 900)

    def full(_: str) -> sqlite3.Connection:
        raise sqlite3.OperationalError("database or disk is full")

    with monkeypatch.context() as patch:
        patch.setattr(sqlite3, "connect", full)
        outcome = past.backfill()
    assert (outcome.status, outcome.new_plays) == ("failed", 200)
    assert past.backfill().status == "polled"
    assert past.received() == past.listens


@pytest.mark.parametrize("is_inclusive", [False, True])
def test_a_second_that_lies_on_the_border_of_months_polls_and_pages(past: Past, is_inclusive: bool) -> None:
    past.server.to_is_inclusive = is_inclusive
    past.server.shuffles_seconds = True
    at = second("2026-11-01")
    crowd = [Listen(at + offset, "Vega", f"{offset} {number}") for offset in (-1, 0, 1) for number in range(150)]
    past.listens = sorted([*history("2026-10-01", 300), *crowd, *history("2026-11-02", 10)])
    past.backfill()
    assert past.received() == past.listens


class TestKilled:
    def test_between_any_two_steps(self, past: Past) -> None:
        past.listens = history("2026-09-28", 500)
        steps, calls = 0, 0
        while True:
            one = Past(past.server, past.inbox / str(steps), past.source)
            past.server.asked.clear()
            if not killed_at(steps, partial(one.backfill)):
                break
            outcome = one.backfill()
            assert outcome.status == "polled"
            assert one.received() == past.listens, f"after step {steps}"
            assert one.most_often() <= 2
            assert not list(one.inbox.rglob("*.part"))
            steps += 7
            calls += 1
        assert calls > 10

    def test_twenty_times_at_random(self, past: Past) -> None:
        past.listens = history("2026-05-28", 12_000, 1200)
        chance = random.Random(17)  # noqa: S311
        # A page takes 16 calls of the operating system.
        kills = sum(killed_at(chance.randrange(25, 60), past.backfill) for _ in range(20))
        assert kills >= 8
        past.backfill()
        assert past.received() == past.listens
        assert past.most_often() <= 2


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    seconds=st.lists(st.integers(second("2024-01-01"), second("2026-11-29")), max_size=60),
    bursts=st.lists(st.tuples(st.integers(second("2024-01-01"), second("2026-11-28")), st.integers(1, 400)), max_size=4),
    calls=st.integers(2, 9),
)
@pytest.mark.parametrize("source", SOURCES)
def test_any_history_is_complete(
    server: MusicServer,
    tmp_path_factory: pytest.TempPathFactory,
    source: str,
    seconds: list[int],
    bursts: list[tuple[int, int]],
    calls: int,
) -> None:
    past = Past(server, tmp_path_factory.mktemp("inbox"), source, calls=calls)
    dense = [Listen(start + number, "Vega", f"Burst {number}") for start, count in bursts for number in range(count)]
    past.listens = sorted({*dense, *(Listen(one, "Lyra", str(one)) for one in seconds)})
    server.asked.clear()
    for day in range(60):
        if past.backfill(now=SERVER_NOW + dt.timedelta(days=day)).status == "polled":
            break
    assert past.received() == past.listens
