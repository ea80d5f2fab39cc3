"""Journals lose and double nothing: killed at any call, closed by whoever comes next, on a disk that is full."""

from __future__ import annotations

import asyncio
import datetime as dt
import errno
import json
import os
import stat
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any

import pytest

from music.settings import ListeningSettings
from service.submissions.closing import BusyError, close_left, journals_in, lock_journals, locked_journals
from service.submissions.journal import Journal, close_journal, place_of
from service.submissions.packing import before_run, pack_journals
from service.submissions.writer import Writer

NOW = dt.datetime(2026, 11, 30, 21, 59, 59, tzinfo=dt.timezone.utc)
LATER = NOW + dt.timedelta(seconds=2)
CALLS = ("open", "write", "fsync", "ftruncate", "rename", "unlink")


class Killed(BaseException):
    """The process is gone."""


def line(number: int) -> bytes:
    return f'{{"received_at": "x", "listen": {number}}}\n'.encode()


def listens(path: Path) -> list[int]:
    return [json.loads(one)["listen"] for one in path.read_bytes().splitlines()[1:]]


def visible(inbox: Path) -> list[int]:
    """What runs see: every journal has a head and whole lines."""
    return sorted(number for path in journals_in(inbox, is_open=False) for number in listens(path))


def run(steps: Coroutine[Any, Any, None]) -> None:
    asyncio.run(asyncio.wait_for(steps, 20))


@pytest.fixture
def killed_at(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[int], None]]:
    """Let the n-th call of the operating system from now on end the process."""
    with monkeypatch.context() as patch:

        def arm(number: int) -> None:
            calls = iter(range(1, 10_000))
            for name in CALLS:
                real = getattr(os, name)

                def call(*arguments: Any, real: Any = real, name: str = name, **options: Any) -> Any:
                    if next(calls) < number:
                        return real(*arguments, **options)
                    if name == "write":
                        # Half of it got through.
                        real(arguments[0], bytes(arguments[1])[: len(arguments[1]) // 2])
                    raise Killed

                patch.setattr(os, name, call)

        arm.undo = patch.undo  # type: ignore[attr-defined]
        yield arm


def session(inbox: Path, acknowledged: list[int]) -> None:
    """A writer's life: four listens in an hour, one in the next, and an orderly end."""
    for now, numbers in ((NOW, (1, 2, 3, 4)), (LATER, (5,))):
        journal = Journal(inbox, "anna", now)
        for number in numbers:
            journal.append(line(number))
            acknowledged.append(number)
        journal.release()
        close_journal(journal.path)


@pytest.mark.parametrize("number", range(1, 40))
def test_killed_at_any_call_nothing_that_was_acknowledged_is_lost_and_nothing_is_doubled(
    tmp_path: Path, killed_at: Any, number: int
) -> None:
    acknowledged: list[int] = []
    killed_at(number)
    try:
        session(tmp_path, acknowledged)
        is_killed = False
    except Killed:
        is_killed = True
    seen = visible(tmp_path)
    killed_at.undo()
    close_left(tmp_path)
    close_left(tmp_path)
    found = visible(tmp_path)
    # What the last call wrote may be there although nobody was told so: its player sends it again.
    assert found in ([*acknowledged], [*range(1, len(acknowledged) + 2)])
    assert set(seen) <= set(found)
    assert is_killed or found == [1, 2, 3, 4, 5]
    assert not journals_in(tmp_path, is_open=True)


@pytest.mark.parametrize("number", range(1, 8))
def test_killed_while_it_closes_what_another_left_the_next_one_closes_it(tmp_path: Path, killed_at: Any, number: int) -> None:
    journal = Journal(tmp_path, "anna", NOW)
    journal.append(line(1))
    journal.release()
    with journal.path.open("ab") as stream:
        stream.write(line(2)[:-5])
    killed_at(number)
    try:
        close_left(tmp_path)
    except Killed:
        assert visible(tmp_path) in ([], [1])
    killed_at.undo()
    close_left(tmp_path)
    assert visible(tmp_path) == [1]


@pytest.mark.parametrize("tail", [b'{"received_at": "x"', b"\0" * 4096, b"\0\0\n" + line(9), b"[]\n", b"\xff\xff\n", b"\n"])
def test_what_lies_behind_the_last_sync_is_dropped_from_the_first_line_that_is_none(tmp_path: Path, tail: bytes) -> None:
    journal = Journal(tmp_path, "anna", NOW)
    journal.append(line(1))
    journal.release()
    with journal.path.open("ab") as stream:
        stream.write(tail)
    assert close_left(tmp_path) == 1
    assert visible(tmp_path) == [1]


def test_a_journal_without_listens_is_no_file_to_read(tmp_path: Path) -> None:
    Journal(tmp_path, "anna", NOW).release()
    assert (close_left(tmp_path), visible(tmp_path), journals_in(tmp_path, is_open=True)) == (0, [], [])


def test_journals_are_private_and_lie_in_a_folder_of_their_listener(tmp_path: Path) -> None:
    for listener in ("anna", "../ben", "_carl", "Jürgen"):
        journal = Journal(tmp_path, listener, NOW)
        journal.append(line(1))
        journal.release()
        assert journal.path.parent.parent == place_of(tmp_path, listener).folder
        assert journal.path.parent.parent.parent == tmp_path / "submitted_listens"
        assert stat.S_IMODE(journal.path.stat().st_mode) == 0o600
        assert stat.S_IMODE(journal.path.parent.stat().st_mode) == 0o700
        assert json.loads(journal.path.read_bytes().splitlines()[0])["listener"] == listener
    assert close_left(tmp_path) == 4


def test_requests_that_wait_share_a_sync(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    syncs, real = [0], os.fsync

    def counted(handle: int) -> None:
        syncs[0] += 1
        real(handle)

    async def steps() -> None:
        writer = Writer(tmp_path, lambda: NOW)
        await writer.append("anna", line(0))
        monkeypatch.setattr(os, "fsync", counted)
        await asyncio.gather(*[writer.append("anna", line(number)) for number in range(1, 101)])
        # One for the first, which found nobody waiting, and one for the rest; more if the machine is busy.
        assert syncs[0] <= 10
        monkeypatch.undo()
        await writer.close()

    run(steps())
    assert visible(tmp_path) == list(range(101))


def test_an_hour_is_a_journal_and_the_turn_closes_it(tmp_path: Path) -> None:
    now = [NOW]

    async def steps() -> None:
        writer = Writer(tmp_path, lambda: now[0])
        await writer.append("anna", line(1))
        await writer.append("ben", line(2))
        await writer.turn()
        assert visible(tmp_path) == []
        now[0] = LATER
        await writer.append("anna", line(3))
        assert visible(tmp_path) == [1]
        await writer.turn()
        assert visible(tmp_path) == [1, 2]
        await writer.close()

    run(steps())
    assert visible(tmp_path) == [1, 2, 3]
    assert sorted(path.name[:12] for path in journals_in(tmp_path, is_open=False)) == [
        "20261130T21Z",
        "20261130T21Z",
        "20261130T22Z",
    ]


def test_what_a_killed_writer_left_is_closed_by_the_next_start(tmp_path: Path) -> None:
    journal = Journal(tmp_path, "ben", NOW)
    journal.append(line(1))
    journal.release()

    async def steps() -> None:
        writer = Writer(tmp_path, lambda: NOW)
        await writer.append("anna", line(2))
        assert visible(tmp_path) == [1]
        await writer.close()

    run(steps())


def settings(inbox: Path) -> ListeningSettings:
    return ListeningSettings(landing=inbox.parent / "landing", inbox=inbox)


def test_a_run_closes_what_nobody_writes_and_leaves_what_a_living_service_does(tmp_path: Path) -> None:
    inbox = tmp_path / "inbox"
    journal = Journal(inbox, "anna", dt.datetime.now(dt.timezone.utc))
    journal.append(line(1))
    with locked_journals(inbox):
        before_run(settings(inbox))
        assert visible(inbox) == []
        journal.append(line(2))
    journal.release()
    before_run(settings(inbox))
    assert visible(inbox) == [1, 2]
    lock_journals(inbox).release()


def test_a_second_service_is_refused_and_loses_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("service.submissions.writer.LOCK_SECONDS", 0)

    async def steps() -> None:
        first, second = Writer(tmp_path, lambda: NOW), Writer(tmp_path, lambda: NOW)
        await first.append("anna", line(1))
        with pytest.raises(BusyError, match="one service at a time"):
            await second.append("anna", line(2))
        await first.close()
        await second.append("anna", line(2))
        await second.close()

    run(steps())
    assert visible(tmp_path) == [1, 2]


@pytest.mark.parametrize("call", ["write", "fsync"])
def test_mode_44_on_a_full_disk_nothing_is_acknowledged_and_nothing_half_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    real = getattr(os, call)

    def full(handle: int, *content: Any) -> int:
        if call == "write":
            real(handle, bytes(content[0])[:10])
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    async def steps() -> None:
        writer = Writer(tmp_path, lambda: NOW)
        await writer.append("anna", line(1))
        monkeypatch.setattr(os, call, full)
        for _ in range(3):
            with pytest.raises(OSError, match="No space left"):
                await writer.append("anna", line(2))
        monkeypatch.undo()
        await writer.append("anna", line(3))
        await writer.append("ben", line(4))
        await writer.close()

    run(steps())
    assert visible(tmp_path) == [1, 3, 4]
    assert not journals_in(tmp_path, is_open=True)


def test_one_listener_s_trouble_is_nobody_else_s(tmp_path: Path) -> None:
    blocked = place_of(tmp_path, "anna").folder
    blocked.parent.mkdir(parents=True)
    blocked.write_text("in the way")

    async def steps() -> None:
        writer = Writer(tmp_path, lambda: NOW)
        results = await asyncio.gather(writer.append("anna", line(1)), writer.append("ben", line(2)), return_exceptions=True)
        assert isinstance(results[0], OSError)
        assert results[1] is None
        await writer.close()

    run(steps())
    assert visible(tmp_path) == [2]


def test_a_journal_that_somebody_removed_gets_no_more_listens(tmp_path: Path) -> None:
    async def steps() -> None:
        writer = Writer(tmp_path, lambda: NOW)
        await writer.append("anna", line(1))
        for path in journals_in(tmp_path, is_open=True):
            path.unlink()
        await writer.append("anna", line(2))
        await writer.close()

    run(steps())
    assert visible(tmp_path) == [2]


def test_months_that_are_over_are_packed_and_this_one_is_not(tmp_path: Path) -> None:
    for now, number in ((NOW - dt.timedelta(days=40), 1), (NOW, 2)):
        journal = Journal(tmp_path, "anna", now)
        journal.append(line(number))
        journal.release()
        close_journal(journal.path)
    assert pack_journals(tmp_path, NOW) == 1
    assert pack_journals(tmp_path, NOW) == 0
    assert visible(tmp_path) == [2]
    assert [path.name for path in (place_of(tmp_path, "anna").folder / "2026-10").iterdir()] == ["_packed.zip"]
