"""Polls: every play once, whatever is cut off where; waits, refusals and failures of one account; gaps that are told."""

from __future__ import annotations

import datetime as dt
import os
import random
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from polling.answers import AccountRefused, Answer, PollError, RetryLater
from polling.places import AccountPlace
from polling.poll import Account, Outcome, exit_code, poll
from polling.state import load_state
from tests.polling.listed import START, ListClient, account, envelopes, keys, moment, received

DAY = dt.timedelta(days=1)
UTC = dt.timezone.utc


def once(client: ListClient, inbox: Path, now: dt.datetime = START, **options: bool) -> Outcome:
    [outcome] = poll([account(client)], inbox, now, **options)
    return outcome


def files(inbox: Path) -> list[Path]:
    return sorted(path for path in inbox.rglob("*") if path.is_file() and not path.name.startswith("_"))


def test_only_what_is_new_is_marked_and_nothing_new_writes_no_file(tmp_path: Path) -> None:
    client = ListClient(list(range(60)))
    assert once(client, tmp_path).new_plays == 50
    client.plays += [60, 61]
    assert once(client, tmp_path).new_plays == 2
    assert [envelope.new for envelope in envelopes(tmp_path)] == [tuple(range(50)), (0, 1)]
    before = files(tmp_path)
    outcome = once(client, tmp_path)
    assert (outcome.status, outcome.new_plays, files(tmp_path)) == ("polled", 0, before)


def test_an_empty_answer_is_no_gap_and_moves_nothing(tmp_path: Path) -> None:
    client = ListClient([1, 2])
    once(client, tmp_path)
    client.plays.clear()
    outcome = once(client, tmp_path)
    assert (outcome.new_plays, outcome.gaps) == (0, ())
    assert load_state(AccountPlace(tmp_path, "spotify_api", "acc1"), "anna").cursor == moment(2)


def test_plays_that_fill_in_late_with_older_times_are_new(tmp_path: Path) -> None:
    """Mode 11."""
    client = ListClient([0, 1, 2, 10, 11])
    once(client, tmp_path)
    client.plays += [3, 4, 12]
    assert once(client, tmp_path).new_plays == 3
    assert received(tmp_path) == keys([0, 1, 2, 3, 4, 10, 11, 12])


def test_pages_are_read_until_a_known_play_is_seen(tmp_path: Path) -> None:
    client = ListClient(list(range(500)), page=20, most=10_000)
    assert once(client, tmp_path).new_plays == 20
    assert client.asked == 1
    client.plays += range(500, 570)
    outcome = once(client, tmp_path)
    assert (outcome.new_plays, client.asked, outcome.gaps) == (70, 1 + 4, ())
    assert received(tmp_path) == keys(range(480, 570))


def test_a_play_that_stands_on_two_pages_is_new_once(tmp_path: Path) -> None:
    """Modes 21 and 22: a play came in between two requests, and moved the rest."""
    client = ListClient(list(range(10)), page=10, most=1000)
    once(client, tmp_path)
    client.plays += range(10, 40)

    class Shifting(ListClient):
        def recent(self):  # type: ignore[no-untyped-def]
            for answer in super().recent():
                yield answer
                self.plays.append(max(self.plays) + 1)

        def answer(self, shown):  # type: ignore[no-untyped-def]
            newest = sorted(self.plays, reverse=True)
            start = newest.index(shown[0]) - (max(self.plays) - 39)
            return super().answer(newest[max(0, start) : max(0, start) + 10])

    shifting = Shifting(client.plays, page=10, most=1000)
    once(shifting, tmp_path)
    got = received(tmp_path)
    assert len(got) == len(set(got))
    assert set(keys(range(40))) <= set(got)


def test_an_answer_longer_than_the_keys_that_are_kept_doubles_nothing(tmp_path: Path) -> None:
    client = ListClient(list(range(900)), page=1000, most=1000)
    assert once(client, tmp_path).new_plays == 900
    client.plays += [900]
    assert once(client, tmp_path).new_plays == 1
    assert received(tmp_path) == keys(range(901))


def test_plays_older_than_all_keys_that_are_kept_are_new_once(tmp_path: Path) -> None:
    """A device was offline for weeks."""
    client = ListClient([number for number in range(400) if number % 5], page=60, most=60)
    for _ in range(6):
        once(client, tmp_path)
        client.plays += range(max(client.plays) + 1, max(client.plays) + 41)
    once(client, tmp_path)

    class Late(ListClient):
        def recent(self) -> Iterator[Answer]:
            yield self.answer([*sorted(self.plays, reverse=True)[:40], 5, 10, 15])

    late = Late(client.plays)
    assert once(late, tmp_path).new_plays == 3
    assert once(late, tmp_path).new_plays == 0
    got = received(tmp_path)
    assert len(got) == len(set(got))


def test_a_server_whose_date_is_behind_is_not_read_from_the_beginning_each_time(tmp_path: Path) -> None:
    client = ListClient(list(range(400)), page=20, most=10_000, source="lastfm_api", date=moment(0) - DAY)
    once(client, tmp_path)
    client.plays.append(400)
    client.asked = 0
    assert once(client, tmp_path).new_plays == 1
    assert client.asked == 1


class TestGaps:
    """Mode 12: a poll that knows none of its items may have missed plays."""

    def test_the_interval_is_told_and_kept(self, tmp_path: Path) -> None:
        client = ListClient(list(range(50)))
        once(client, tmp_path)
        client.plays += range(50, 110)
        outcome = once(client, tmp_path)
        [gap] = outcome.gaps
        assert (gap.start, gap.end, gap.found_at) == (moment(49), moment(60), moment(110))
        client.plays += [110]
        assert once(client, tmp_path).gaps == ()
        assert load_state(AccountPlace(tmp_path, "spotify_api", "acc1"), "anna").gaps == (gap,)

    @pytest.mark.parametrize("more", [0, 1, 49])
    def test_none_where_a_play_is_known(self, tmp_path: Path, more: int) -> None:
        client = ListClient(list(range(50)))
        once(client, tmp_path)
        client.plays += range(50, 50 + more)
        assert once(client, tmp_path).gaps == ()

    def test_a_play_from_a_clock_that_is_ahead_does_not_hide_it(self, tmp_path: Path) -> None:
        client = ListClient([*range(50), 160])
        client.date = moment(50)
        once(client, tmp_path)
        client.plays += range(50, 110)
        client.date = moment(110)
        [gap] = once(client, tmp_path).gaps
        assert (gap.start, gap.end) == (moment(49), moment(61))

    def test_none_that_is_too_short_for_a_play(self, tmp_path: Path) -> None:
        client = ListClient(list(range(50)))
        once(client, tmp_path)
        client.plays += [49.2 + number for number in range(50)]
        assert once(client, tmp_path).gaps == ()
        client.plays += [99.3 + number for number in range(50)]
        assert len(once(client, tmp_path).gaps) == 1

    def test_none_on_the_first_poll(self, tmp_path: Path) -> None:
        assert once(ListClient(list(range(80))), tmp_path).gaps == ()

    def test_none_where_the_poll_before_was_cut_off_after_its_file(self, tmp_path: Path) -> None:
        client = ListClient(list(range(50)))
        once(client, tmp_path)
        state = AccountPlace(tmp_path, "spotify_api", "acc1").state
        kept = state.read_bytes()
        client.plays += range(50, 90)
        once(client, tmp_path)
        state.write_bytes(kept)
        client.plays += range(90, 130)
        outcome = once(client, tmp_path)
        assert (outcome.new_plays, outcome.gaps) == (40, ())
        assert received(tmp_path) == keys(range(130))

    def test_both_where_the_poll_that_found_the_first_was_cut_off(self, tmp_path: Path) -> None:
        client = ListClient(list(range(50)))
        once(client, tmp_path)
        state = AccountPlace(tmp_path, "spotify_api", "acc1").state
        kept = state.read_bytes()
        client.plays += range(50, 120)
        once(client, tmp_path)
        state.write_bytes(kept)
        client.plays += range(120, 190)
        found = [(gap.start, gap.end) for gap in once(client, tmp_path).gaps]
        assert found == [(moment(119), moment(140)), (moment(49), moment(70))]


class TestFaults:
    def test_a_long_wait_is_stored_and_kept_to_and_others_go_on(self, tmp_path: Path) -> None:
        """Mode 1."""
        retry_at = START + dt.timedelta(seconds=80_000)
        waits = ListClient([1], fails=RetryLater("429 from me/player", retry_at))
        other = ListClient([1, 2], account_id="acc2")
        outcomes = poll([account(waits), account(other, "ben")], tmp_path, START)
        assert [(one.status, one.new_plays) for one in outcomes] == [("waiting", 0), ("polled", 2)]
        assert exit_code(outcomes) == 0
        waits.fails = None
        skipped = once(waits, tmp_path, retry_at - dt.timedelta(seconds=1))
        assert (skipped.status, skipped.retry_at, waits.asked) == ("waiting", retry_at, 0)
        assert exit_code([skipped]) == 0
        assert once(waits, tmp_path, retry_at).new_plays == 1
        assert load_state(AccountPlace(tmp_path, "spotify_api", "acc1"), "anna").retry_at is None

    def test_a_clock_that_was_set_back_for_years_does_not_stop_the_polls(self, tmp_path: Path) -> None:
        waits = ListClient([1], fails=RetryLater("429", START + dt.timedelta(hours=1)))
        assert once(waits, tmp_path).status == "waiting"
        waits.fails = None
        assert once(waits, tmp_path, START - dt.timedelta(days=700)).status == "polled"

    def test_a_refusal_stops_the_account_only_and_is_tried_again_the_next_day(self, tmp_path: Path) -> None:
        """Mode 5, and what comes of 7, 8, 9, 27."""
        refused = ListClient([1], fails=AccountRefused("invalid_grant", "run `lakehouse connect spotify --user anna`"))
        other = ListClient([1, 2], account_id="acc2")
        outcomes = poll([account(refused), account(other, "ben")], tmp_path, START)
        assert [one.status for one in outcomes] == ["refused", "polled"]
        assert outcomes[0].remedy == "run `lakehouse connect spotify --user anna`"
        assert exit_code(outcomes) == 1
        refused.fails = None
        waiting = once(refused, tmp_path, START + DAY / 2)
        assert (waiting.status, waiting.remedy, refused.asked) == ("refused", outcomes[0].remedy, 0)
        refused.fails = AccountRefused("invalid_grant", "connect")
        assert once(refused, tmp_path, START + DAY).remedy == "connect"
        refused.fails = None
        assert once(refused, tmp_path, START + DAY * 1.5).status == "refused"
        assert once(refused, tmp_path, START + DAY * 1.5, again=True).new_plays == 1
        assert once(refused, tmp_path, START + DAY * 1.5).status == "polled"

    def test_a_new_consent_ends_a_refusal_at_once(self, tmp_path: Path) -> None:
        client = ListClient([1], fails=AccountRefused("invalid_grant", "connect"))
        for _ in range(2):
            [outcome] = poll([account(client, consent=START)], tmp_path, START)
            assert outcome.status == "refused"
        client.fails = None
        [outcome] = poll([account(client, consent=START + DAY / 24)], tmp_path, START)
        assert (outcome.status, outcome.new_plays) == ("polled", 1)
        state = load_state(AccountPlace(tmp_path, "spotify_api", "acc1"), "anna")
        assert (state.consent, state.refusal) == (START + DAY / 24, None)

    def test_a_client_that_cannot_be_made_is_that_accounts_failure(self, tmp_path: Path) -> None:
        def no_key() -> ListClient:
            raise AccountRefused("no LASTFM_API_KEY", "set LASTFM_API_KEY")

        client = ListClient([1])
        outcomes = poll([Account("lastfm_api", "x", "ben", no_key), account(client)], tmp_path, START)
        assert [(one.status, one.remedy) for one in outcomes] == [("refused", "set LASTFM_API_KEY"), ("polled", None)]
        assert client.is_closed

    def test_an_answer_that_cannot_be_used_moves_nothing(self, tmp_path: Path) -> None:
        """Modes 19, 36 to 38, as far as they reach the poll."""
        client = ListClient([1, 2])
        once(client, tmp_path)
        place = AccountPlace(tmp_path, "spotify_api", "acc1")
        before = load_state(place, "anna")
        client.plays += [3]
        client.fails = PollError("no JSON")
        other = ListClient([1], account_id="acc2")
        outcomes = poll([account(client), account(other)], tmp_path, START)
        assert [(one.status, one.reason) for one in outcomes] == [("failed", "no JSON"), ("polled", None)]
        assert exit_code(outcomes) == 1
        assert load_state(place, "anna") == before.failed(START, "no JSON")
        client.fails = PollError("HTML")
        once(client, tmp_path, START + DAY)
        failing = load_state(place, "anna")
        assert (failing.failing_since, failing.failure) == (START, "HTML")
        client.fails = None
        assert once(client, tmp_path).new_plays == 1
        assert load_state(place, "anna").failing_since is None

    def test_an_account_stays_with_its_listener(self, tmp_path: Path) -> None:
        client = ListClient([1, 2], source="lastfm_api")
        poll([account(client, "me")], tmp_path, START)
        client.plays += [3]
        [outcome] = poll([account(client, "anna")], tmp_path, START)
        assert (outcome.status, outcome.reason) == ("refused", "its plays so far are those of listener me")
        assert "lakehouse poll --backfill" in str(outcome.remedy)
        [outcome] = poll([account(client, "me")], tmp_path, START)
        assert (outcome.status, outcome.new_plays) == ("polled", 1)

    @pytest.mark.parametrize("fault", [PollError("cut"), RetryLater("429", START), AccountRefused("10", "key")])
    @pytest.mark.parametrize("page", [0, 1, 2, 3])
    def test_pages_before_a_fault_stay_and_those_after_it_are_not_lost(self, tmp_path: Path, fault: PollError, page: int) -> None:
        """Mode 23."""
        client = ListClient(list(range(10)), page=10, most=1000)
        once(client, tmp_path)
        client.plays += range(10, 45)
        client.fails, client.fails_at = fault, page
        assert once(client, tmp_path).new_plays == min(10 * page, 35)
        client.plays += range(45, 50)
        client.fails = None
        outcome = once(client, tmp_path, START, again=True)
        assert (outcome.status, outcome.gaps) == ("polled", ())
        assert received(tmp_path) == keys(range(50))

    def test_an_answer_about_another_account_is_not_taken(self, tmp_path: Path) -> None:
        class Mixed(ListClient):
            def answer(self, shown):  # type: ignore[no-untyped-def]
                return ListClient(self.plays, account_id="acc2").answer(shown)

        outcome = once(Mixed([1]), tmp_path)
        assert outcome.status == "failed"
        assert "another account, acc2" in str(outcome.reason)
        assert files(tmp_path) == []

    def test_a_full_disk_keeps_the_cursor(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Mode 44."""
        client = ListClient([1, 2])
        once(client, tmp_path)
        client.plays += [3]

        def full(*_: object) -> None:
            raise OSError(28, "No space left on device")

        with monkeypatch.context() as patch:
            patch.setattr(os, "write", full)
            outcome = once(client, tmp_path)
        assert (outcome.status, exit_code([outcome])) == ("failed", 1)
        assert once(client, tmp_path).new_plays == 1
        assert received(tmp_path) == keys([1, 2, 3])


CALLS = ("mkdir", "open", "write", "fsync", "close", "replace", "unlink")
KILLED = 9


def killed_at(step: int, work: Callable[[], object]) -> bool:
    """Do the work in a process that ends like one that is killed before its call number `step` of the operating system.

    Every second kill within a write leaves half of what was to be written. False where the work is done before that.
    """
    child = os.fork()
    if child == 0:
        left = step

        def dying(name: str) -> Callable[..., object]:
            real = getattr(os, name)

            def call(*arguments: object, **options: object) -> object:
                nonlocal left
                if left == 0:
                    if name == "write" and step % 2:
                        real(arguments[0], bytes(arguments[1])[: len(arguments[1]) // 2])  # type: ignore[call-overload,arg-type]
                    os._exit(KILLED)
                left -= 1
                return real(*arguments, **options)

            return call

        for name in CALLS:
            setattr(os, name, dying(name))
        try:
            work()
        except BaseException:
            os._exit(1)
        os._exit(0)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert code in (0, KILLED)
    return code == KILLED


@pytest.mark.parametrize("before", [0, 40], ids=["first poll", "later poll"])
@pytest.mark.parametrize("arriving", [0, 5], ids=["nothing meanwhile", "plays meanwhile"])
@pytest.mark.parametrize(("page", "most"), [(50, 50), (7, 1000)], ids=["one answer", "pages"])
def test_killed_between_any_two_steps_nothing_is_lost_or_doubled(
    tmp_path: Path, before: int, arriving: int, page: int, most: int
) -> None:
    steps = 0
    while True:
        inbox = tmp_path / str(steps)
        plays = list(range(before))
        if plays:
            once(ListClient(plays, page, most), inbox)
        told = 20 if before else min(page, 20)
        plays += range(before, before + 20)
        is_killed = killed_at(steps, partial(once, ListClient(plays, page, most), inbox))
        plays += range(len(plays), len(plays) + arriving)
        outcome = once(ListClient(plays, page, most), inbox)
        assert (outcome.status, outcome.gaps) == ("polled", ())
        got = received(inbox)
        assert len(got) == len(set(got)), f"doubled after step {steps}"
        if before:
            first = before - min(page, before)
            assert got == keys(range(first, len(plays))), f"lost after step {steps}"
        else:
            # A first poll takes one answer: which one depends on whether it left anything.
            assert len(got) >= told
            assert set(keys(plays[-min(page, len(plays)) :])) <= set(got)
        assert not list(inbox.rglob("*.part"))
        if not is_killed:
            break
        steps += 1
    assert steps > 10


def test_killed_again_and_again_at_random_steps(tmp_path: Path) -> None:
    chance = random.Random(17)  # noqa: S311
    plays = list(range(30))
    once(ListClient(plays, 8, 1000), tmp_path)
    kills = 0
    for _ in range(60):
        plays += range(len(plays), len(plays) + chance.randrange(0, 30))
        kills += killed_at(chance.randrange(0, 60), partial(once, ListClient(plays, 8, 1000), tmp_path))
    outcome = once(ListClient(plays, 8, 1000), tmp_path)
    assert kills > 20
    assert outcome.gaps == ()
    assert received(tmp_path) == keys(range(22, len(plays)))
