"""Packing: which months, what polls and backfills still find in them, and what a kill leaves."""

from __future__ import annotations

import datetime as dt
import json
import logging
import os
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from polling.inbox_files import loose_files, poll_files
from polling.packing import pack_inbox
from polling.places import AccountPlace
from polling.poll import poll
from polling.state import load_state, locked, save_state
from tests.polling.listed import START, ListClient, account, keys, moment, received
from tests.polling.past import Past, history
from tests.polling.server import MusicServer
from tests.polling.test_poll import killed_at

# One play every four minutes: so many bring the date into the middle of December 2026, and of January 2027.
DECEMBER, JANUARY = 6_000, 17_000


@pytest.fixture
def place(tmp_path: Path) -> AccountPlace:
    return AccountPlace(tmp_path, "spotify_api", "acc1")


def polled(inbox: Path, *newest: int) -> ListClient:
    """Polls of two plays each, of which these are the newest."""
    client = ListClient([])
    for number in newest:
        client.plays += [number - 1, number]
        poll([account(client)], inbox, START)
    return client


def names(inbox: Path) -> list[str]:
    return sorted(path.relative_to(inbox).as_posix() for path in inbox.rglob("*") if path.is_file() and path.name[0] != "_")


def archives(inbox: Path) -> list[str]:
    return sorted(path.relative_to(inbox).as_posix() for path in inbox.rglob("_packed*"))


def test_months_before_the_one_of_the_last_poll_are_packed(tmp_path: Path, place: AccountPlace) -> None:
    polled(tmp_path, 1, 3, DECEMBER, JANUARY)
    before = received(tmp_path)
    assert pack_inbox(tmp_path) == 3
    assert archives(tmp_path) == [f"spotify_api/acc1/{month}/_packed.zip" for month in ("2026-11", "2026-12")]
    assert [name.split("/")[2] for name in names(tmp_path)] == ["2027-01"]
    assert received(tmp_path) == before == keys([0, 1, 2, 3, DECEMBER - 1, DECEMBER, JANUARY - 1, JANUARY])
    assert pack_inbox(tmp_path) == 0


def test_a_month_is_closed_a_day_after_its_end(tmp_path: Path, place: AccountPlace) -> None:
    polled(tmp_path, 1)
    state = load_state(place, "anna")
    closed = dt.datetime(2026, 12, 2, tzinfo=dt.timezone.utc)
    save_state(place, replace(state, polled_at=closed - dt.timedelta(seconds=1)))
    assert pack_inbox(tmp_path) == 0
    save_state(place, replace(state, polled_at=closed))
    assert pack_inbox(tmp_path) == 1


def test_files_that_the_state_does_not_count_stay_loose(tmp_path: Path, place: AccountPlace) -> None:
    client = polled(tmp_path, 1)
    kept = place.state.read_bytes()
    client.plays += [2, 3]
    poll([account(client)], tmp_path, START)
    document = json.loads(kept) | {"polled_at": moment(JANUARY).isoformat()}
    place.state.write_text(json.dumps(document))
    assert pack_inbox(tmp_path) == 0
    client.plays += [JANUARY]
    [outcome] = poll([account(client)], tmp_path, START)
    assert (outcome.new_plays, outcome.gaps) == (1, ())
    assert pack_inbox(tmp_path) == 2
    assert received(tmp_path) == keys([0, 1, 2, 3, JANUARY])


def test_an_account_that_is_being_polled_is_packed_later(tmp_path: Path, place: AccountPlace) -> None:
    polled(tmp_path, 1, JANUARY)
    with locked(place):
        assert pack_inbox(tmp_path) == 0
    assert pack_inbox(tmp_path) == 1


def test_what_is_no_poll_file_of_an_account_is_left_alone(tmp_path: Path, place: AccountPlace) -> None:
    polled(tmp_path, 1, JANUARY)
    others = [
        place.folder / "2026-11" / "notes.json",
        place.folder / "old" / "00000001-20261129T220000Z.json",
        tmp_path / "spotify_api" / "acc2" / "2026-11" / "00000001-20261129T220000Z.json",
    ]
    for path in others:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("{}")
    assert pack_inbox(tmp_path) == 1
    assert all(path.is_file() for path in others)


def test_a_full_disk_keeps_the_files_and_fails_nothing(
    tmp_path: Path, place: AccountPlace, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    polled(tmp_path, 1, JANUARY)
    before = received(tmp_path)

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch, caplog.at_level(logging.WARNING):
        patch.setattr(os, "fsync", full)
        assert pack_inbox(tmp_path) == 0
    assert "is not packed: [Errno 28]" in caplog.text
    assert received(tmp_path) == before
    assert pack_inbox(tmp_path) == 1


def test_a_state_that_is_lost_is_made_from_packed_months_too(tmp_path: Path, place: AccountPlace) -> None:
    client = polled(tmp_path, *range(1, 120, 2))
    client.plays += [JANUARY]
    poll([account(client)], tmp_path, START)
    before = load_state(place, "anna")
    assert pack_inbox(tmp_path) == 60
    place.state.unlink()
    after = load_state(place, "anna")
    assert (after.sequence, after.cursor, after.keys) == (before.sequence, before.cursor, before.keys)
    client.plays += [JANUARY + 1]
    [outcome] = poll([account(client)], tmp_path, START)
    assert (outcome.new_plays, outcome.gaps) == (1, ())
    with poll_files(place) as files:
        assert sorted(file.number for file in files) == list(range(1, 63))


def test_killed_between_any_two_steps_nothing_is_lost_or_doubled(tmp_path: Path) -> None:
    whole = tmp_path / "whole"
    polled(whole, 1, 3, DECEMBER, JANUARY)
    expected, steps = received(whole), 0
    while True:
        inbox = tmp_path / str(steps)
        shutil.copytree(whole, inbox)
        is_killed = killed_at(steps, lambda inbox=inbox: pack_inbox(inbox))  # type: ignore[misc]
        assert received(inbox) == expected, f"after step {steps}"
        pack_inbox(inbox)
        assert (received(inbox), len(loose_files(AccountPlace(inbox, "spotify_api", "acc1")))) == (expected, 1)
        if not is_killed:
            break
        steps += 1
    assert steps > 15


@pytest.mark.parametrize("source", ["lastfm_api", "listenbrainz_api"])
def test_a_backfill_knows_what_is_packed_and_finds_where_a_vanished_play_is(tmp_path: Path, source: str) -> None:
    with MusicServer(lastfm={"anna": []}, listenbrainz={"anna": []}) as server:
        past = Past(server, tmp_path, source)
        past.listens = history("2026-09-01", 700)
        past.backfill()
        save_state(past.place, replace(past.state(), polled_at=dt.datetime(2027, 1, 10, tzinfo=dt.timezone.utc)))
        assert pack_inbox(tmp_path) > 1
        assert loose_files(past.place) == []
        gone = past.listens[10]
        past.listens = [one for one in past.listens if one != gone]
        past.backfill(again=True)
        [vanished] = past.state().vanished
        with poll_files(past.place) as files:
            [file] = [file for file in files if file.name == vanished.file]
            head = file.head()
        assert head.new[list(head.keys).index(vanished.key)] == vanished.position
        assert past.received() == sorted([*past.listens, gone])


def test_folders_that_are_no_accounts_are_passed_over(tmp_path: Path) -> None:
    polled(tmp_path, 2, DECEMBER)
    for name in (b"bad\xff", "Ängste".encode()):
        (tmp_path / "spotify_api" / os.fsdecode(name)).mkdir()
    assert pack_inbox(tmp_path) >= 0
