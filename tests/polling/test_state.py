"""The state of an account: it comes back as it was, is replaced as a whole, and one process at a time polls."""

from __future__ import annotations

import datetime as dt
import json
import os
import stat
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from polling.answers import Item, Position
from polling.places import AccountPlace
from polling.poll import poll
from polling.progress import Progress
from polling.state import AccountState, BusyError, Gap, Refusal, StateError, load_state, locked, save_state
from polling.vanished import Vanished
from tests.polling.listed import START, ListClient, account, key, keys, moment, received

HOUR = dt.timedelta(hours=1)


@pytest.fixture
def place(tmp_path: Path) -> AccountPlace:
    return AccountPlace(tmp_path / "inbox", "spotify_api", "acc1")


def test_everything_comes_back(place: AccountPlace) -> None:
    state = AccountState(
        source="spotify_api",
        account_id="acc1",
        listener="Jürgen",
        sequence=7,
        cursor=START,
        keys={"a": START, "b": None},
        retry_at=START + HOUR,
        retry_reason="too many requests",
        refusal=Refusal(START, START + HOUR, 1, "invalid_grant", "lakehouse connect spotify"),
        consent=START - HOUR,
        gaps=(Gap(START, START + HOUR, START + 2 * HOUR),),
        polled_at=START + HOUR,
        reached=START - 9 * HOUR,
        backfill_sequence=4,
        backfill=Progress(START, "2019-04", Position(1_555_000_000, 200), {"2019-05": 7}),
        comparison=Progress(START, "2011-12", None, {}, is_complete=True),
        vanished=(Vanished("a", START, START + HOUR, "00000001-20261129T000000Z.json.gz", 3),),
    )
    save_state(place, state)
    assert load_state(place, "Jürgen") == state
    assert load_state(place, "anna") == replace(state, listener="anna")
    assert stat.S_IMODE(place.state.stat().st_mode) == 0o600
    assert place.state.parent == place.folder.parent


def test_vanished_plays_are_listed_in_plain_json(place: AccountPlace) -> None:
    gone = Vanished("1795986245:9f86d081884c7d65", START, START + HOUR, "00000012-20261129T211005Z.json.gz", 3)
    save_state(place, AccountState("lastfm_api", "acc1", "anna", vanished=(gone,)))
    assert json.loads(place.state.read_text())["vanished"] == [
        {
            "key": "1795986245:9f86d081884c7d65",
            "played_at": "2026-11-29T00:00:00Z",
            "noticed_at": "2026-11-29T01:00:00Z",
            "file": "00000012-20261129T211005Z.json.gz",
            "position": 3,
        }
    ]


def test_the_time_that_the_first_poll_reached_stays(place: AccountPlace) -> None:
    state = AccountState("lastfm_api", "acc1", "anna")
    state = state.advanced([Item(0, key(9), moment(9)), Item(1, key(5), moment(5))], 1, moment(10))
    assert state.reached == moment(5)
    assert state.advanced([Item(0, key(3), moment(3))], 2, moment(11)).reached == moment(5)


def test_the_last_200_keys_stay_and_the_newest_time(place: AccountPlace) -> None:
    state = AccountState("spotify_api", "acc1", "anna")
    for number in range(300):
        state = state.advanced([Item(0, key(number), moment(number))], number + 1, moment(number + 1))
    assert list(state.keys) == [key(number) for number in range(299, 99, -1)]
    assert state.cursor == moment(299)
    assert state.horizon() == moment(100)
    late = state.advanced([Item(0, "late", moment(50))], 301, moment(300))
    assert late.cursor == moment(299)


def test_a_play_from_the_future_moves_no_cursor() -> None:
    """Mode 35: its time is kept for silver, which quarantines it."""
    state = AccountState("spotify_api", "acc1", "anna").advanced([Item(0, "a", START + 2 * HOUR), Item(1, "b", START)], 1, START)
    assert state.cursor == START
    assert list(state.keys) == ["a", "b"]


def test_a_state_that_is_lost_is_made_from_the_files(tmp_path: Path, place: AccountPlace) -> None:
    inbox = place.inbox
    client = ListClient(list(range(30)))
    poll([account(client)], inbox, START)
    client.plays += range(30, 40)
    poll([account(client)], inbox, START)
    before = load_state(place, "anna")
    place.state.unlink()
    after = load_state(place, "anna")
    assert (after.sequence, after.cursor, after.keys) == (before.sequence, before.cursor, before.keys)
    client.plays += range(40, 45)
    [outcome] = poll([account(client)], inbox, START)
    assert (outcome.new_plays, outcome.gaps) == (5, ())
    assert received(inbox) == keys(range(45))


@pytest.mark.parametrize("content", ["", "{", "[]", "{}", '{"format": "listening-lakehouse/poll-state/9"}'])
def test_a_state_that_cannot_be_read_is_named_and_nothing_is_polled(place: AccountPlace, content: str) -> None:
    place.state.parent.mkdir(parents=True)
    place.state.write_text(content)
    with pytest.raises(StateError, match=r"_acc1\.json cannot be read: remove it"):
        load_state(place, "anna")
    client = ListClient([1])
    [outcome] = poll([account(client)], place.inbox, START)
    assert (outcome.status, client.asked, place.state.read_text()) == ("failed", 0, content)


HOLDER = """
import sys
from pathlib import Path
from polling.places import AccountPlace
from polling.state import locked
with locked(AccountPlace(Path(sys.argv[1]), "spotify_api", "acc1")):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_two_processes_never_poll_one_account_at_once(place: AccountPlace) -> None:
    """Mode 43: the other one is told so, and a process that is killed lets go."""
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(place.inbox)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        client, other = ListClient([1]), ListClient([1], account_id="acc2")
        with pytest.raises(BusyError), locked(place):
            pass
        outcomes = poll([account(client), account(other)], place.inbox, START)
        assert [outcome.status for outcome in outcomes] == ["busy", "polled"]
        assert client.asked == 0
    finally:
        holder.kill()
        holder.communicate()
    [outcome] = poll([account(client)], place.inbox, START)
    assert (outcome.status, outcome.new_plays) == ("polled", 1)


def test_the_lock_is_the_accounts_own_and_for_its_owner_only(place: AccountPlace) -> None:
    before = os.umask(0)
    try:
        with locked(place), locked(replace(place, account_id="acc2")):
            assert stat.S_IMODE(place.lock.stat().st_mode) == 0o600
    finally:
        os.umask(before)


def test_a_new_consent_ends_a_wait_and_a_refusal() -> None:
    state = AccountState("spotify_api", "acc1", "anna").refused(START, "invalid_grant", "connect").waiting(START, "slow down")
    connected = state.connected("ben", START + HOUR)
    assert connected == AccountState("spotify_api", "acc1", "ben", consent=START + HOUR)


def test_a_play_from_a_clock_that_is_40_minutes_ahead_hides_no_beginning_of_a_gap() -> None:
    date = dt.datetime(2026, 11, 30, 12, tzinfo=dt.timezone.utc)
    items = [Item(0, "ahead", date + dt.timedelta(minutes=31)), Item(1, "last", date - dt.timedelta(minutes=9))]
    moved = AccountState("spotify_api", "A1", "anna").advanced(items, 1, date)
    assert moved.cursor == date - dt.timedelta(minutes=9)
    assert set(moved.keys) == {"ahead", "last"}
