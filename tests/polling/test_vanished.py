"""Modes 32 and 33: a play that was deleted or edited at its source stays, and is noticed where the source shows all around it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from pathlib import Path

import pytest

from polling.poll import poll
from polling.vanished import MOST_VANISHED, Vanished, still_missing
from tests.polling.listed import START, ListClient, account
from tests.polling.past import SOURCES, Past, history
from tests.polling.server import SERVER_NOW, Listen, MusicServer


@pytest.fixture(params=SOURCES)
def past(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Past]:
    with MusicServer(lastfm={"anna": []}, listenbrainz={"anna": []}) as server:
        made = Past(server, tmp_path, request.param)
        made.listens = history("2026-11-01", 40)
        yield made


def without(listens: list[Listen], *gone: Listen) -> list[Listen]:
    return [one for one in listens if one not in gone]


def time(listen: Listen) -> str:
    return dt.datetime.fromtimestamp(listen.second, dt.timezone.utc).isoformat()


def seconds(past: Past) -> list[int]:
    return [int(one.played_at.timestamp()) for one in past.state().vanished]


def test_a_poll_notices_a_deleted_play_once_and_keeps_it(past: Past) -> None:
    past.poll()
    gone = past.listens[20]
    past.listens = without(past.listens, gone)
    assert past.poll().vanished == 1
    [found] = past.state().vanished
    file = next(past.place.folder.rglob("*.json.gz")).name
    # Newest first: the play with number 20 of 40 is the twentieth of the answer.
    assert (found.played_at.timestamp(), found.noticed_at, found.file, found.position) == (gone.second, SERVER_NOW, file, 19)
    assert found.key.startswith(f"{gone.second}:")
    assert past.poll().vanished == 0
    assert len(past.state().vanished) == 1
    assert gone in past.received()


def test_an_edited_play_is_an_old_one_that_vanished_and_a_new_one(past: Past) -> None:
    past.poll()
    old = past.listens[30]
    edited = Listen(old.second, "Vega (right)", old.title)
    past.listens = sorted([*without(past.listens, old), edited])
    outcome = past.poll()
    assert (outcome.new_plays, outcome.vanished) == (1, 1)
    assert seconds(past) == [old.second]
    assert {old, edited} <= set(past.received())


def test_a_play_that_comes_back_is_taken_off_the_list(past: Past) -> None:
    past.poll()
    listens = past.listens
    past.listens = without(listens, listens[20], listens[25])
    past.poll()
    assert len(seconds(past)) == 2
    past.listens = without(listens, listens[25])
    assert past.poll().new_plays == 0
    assert seconds(past) == [listens[25].second]


@pytest.mark.parametrize("count", [1, 5, 40])
def test_an_answer_that_is_behind_or_empty_says_nothing_of_what_is_newer(past: Past, count: int) -> None:
    past.poll()
    listens = past.listens
    past.listens = listens[:-count]
    assert past.poll().vanished == 0
    past.listens = [*listens, *history("2026-11-20", 1)]
    assert (past.poll().new_plays, past.state().vanished) == (1, ())


def test_what_is_below_the_page_has_not_vanished(past: Past) -> None:
    past.listens = history("2026-11-01", 200, 600)
    past.poll()
    past.listens += history("2026-11-20", 30, 600)
    assert past.poll().vanished == 0
    past.listens = past.listens[100:]
    assert past.poll().vanished == 0


def test_a_deleted_play_is_noticed_in_what_a_poll_left_that_was_cut_off(past: Past) -> None:
    past.poll()
    kept = past.place.state.read_bytes()
    past.listens += history("2026-11-20", 10)
    past.poll()
    past.place.state.write_bytes(kept)
    gone = past.listens[45]
    past.listens = without(past.listens, gone)
    assert past.poll().vanished == 1
    assert seconds(past) == [gone.second]
    assert past.state().vanished[0].file.startswith("00000002-")


def test_a_second_that_no_page_can_hold_says_nothing_of_its_plays(past: Past) -> None:
    """Mode 31, beside 32."""
    past.poll()
    crowd = [Listen(past.listens[-1].second + 60, "Vega", f"{number}") for number in range(1100)]
    past.server.shuffles_seconds = True
    past.listens += [*crowd, *history("2026-11-20", 30)]
    past.poll()
    past.listens += history("2026-11-21", 60)
    past.poll()
    assert past.state().vanished == ()
    past.backfill()
    past.backfill(again=True)
    assert past.state().vanished == ()


def test_never_for_spotify_whose_list_is_not_complete(tmp_path: Path) -> None:
    client = ListClient(list(range(40)))
    poll([account(client)], tmp_path, START)
    client.plays.remove(20)
    [outcome] = poll([account(client)], tmp_path, START)
    assert outcome.vanished == 0


class TestComparison:
    def test_all_months_are_compared_and_new_plays_come_too(self, past: Past) -> None:
        past.listens = history("2026-06-01", 1800)
        past.backfill()
        assert past.state().vanished == ()
        gone = [past.listens[number] for number in (0, 1, 500, 501, 1000, 1700)]
        late = Listen(past.listens[700].second + 1, "Lyra", "Offline")
        past.listens = sorted([*without(past.listens, *gone), late])
        outcome = past.backfill(again=True)
        assert (outcome.new_plays, outcome.vanished) == (1, 6)
        assert sorted(seconds(past)) == [one.second for one in gone]
        assert past.received() == sorted([*past.listens, *gone])
        assert past.state().comparison is not None
        again = past.backfill(again=True)
        assert (again.new_plays, again.vanished) == (0, 0)
        assert len(seconds(past)) == 6

    @pytest.mark.parametrize("month", ["2026-05", "2026-06", "2026-07", "2026-08"])
    def test_a_month_that_is_gone_as_a_whole_is_noticed_although_it_is_passed_over(self, past: Past, month: str) -> None:
        past.listens = [one for number in range(5, 12) for one in history(f"2026-{number:02d}-03", 60)]
        past.backfill()
        gone = [one for one in past.listens if time(one).startswith(month)]
        assert len(gone) == 60
        past.listens = without(past.listens, *gone)
        assert past.backfill(again=True).vanished == 60
        assert sorted(seconds(past)) == [one.second for one in gone]

    def test_only_the_months_that_are_wanted(self, past: Past) -> None:
        past.listens = history("2026-06-01", 1800)
        past.backfill()
        gone = [past.listens[100], past.listens[1700]]
        past.listens = without(past.listens, *gone)
        past.backfill("2026-10", again=True)
        assert seconds(past) == [gone[1].second]
        past.backfill("2026-06", again=True)
        assert sorted(seconds(past)) == [one.second for one in gone]

    def test_broken_off_it_goes_on(self, past: Past) -> None:
        past.listens = history("2026-04-01", 2600)
        past.backfill()
        gone = past.listens[50::100]
        past.listens = without(past.listens, *gone)
        past.calls = 4
        for hours in range(0, 48, 2):
            outcome = past.backfill(again=True, now=SERVER_NOW.replace(year=2027, month=1 + hours // 24, day=1 + hours // 2 % 28))
            if outcome.status == "polled":
                break
        assert outcome.status == "polled"
        assert sorted(seconds(past)) == [one.second for one in gone]

    def test_it_stays_where_the_backfill_has_been(self, past: Past) -> None:
        past.listens = history("2026-06-01", 1800)
        past.backfill("2026-10")
        asked = len(past.received())
        outcome = past.backfill(again=True)
        assert (outcome.new_plays, outcome.vanished) == (0, 0)
        assert len(past.received()) == asked
        past.backfill()
        assert past.received() == past.listens

    def test_the_backfill_itself_notices_what_vanished_meanwhile(self, past: Past) -> None:
        past.poll()
        gone = past.listens[0]
        past.listens = [*history("2026-10-01", 50), *without(past.listens, gone)]
        past.backfill()
        assert seconds(past) == [gone.second]


def test_the_list_is_bounded() -> None:
    listed = [Vanished(str(number), START, START, "f", number) for number in range(MOST_VANISHED)]
    more = [Vanished("new", START, START, "f", 0)]
    kept = still_missing(listed, {"7"}, [*more, *more])
    assert (len(kept), kept[0].key, kept[-1].key) == (MOST_VANISHED, "1", "new")
