"""When the scheduler starts what: by a clock of the test, and with processes whose results it writes down."""

from __future__ import annotations

import datetime as dt
import itertools
import json
import logging
from pathlib import Path
from typing import Any

import pytest

from polling.tokens import Token, TokenStore
from scheduling import log, scheduler
from scheduling.child import Ended, Process
from scheduling.state import FILE, SchedulerState
from tests.scheduling.scripted import HOUR, LOCKED, MAINTAINED, MINUTE, NO_ACCOUNT, START, Stage, outcome, polled


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    return Stage(tmp_path)


@pytest.fixture
def lines(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> pytest.LogCaptureFixture:
    monkeypatch.setattr(log.log, "propagate", True)
    caplog.set_level(logging.INFO, "scheduler")
    return caplog


def messages(lines: pytest.LogCaptureFixture, part: str) -> list[str]:
    return [record.getMessage() for record in lines.records if part in record.getMessage()]


def test_it_polls_every_twenty_minutes_and_builds_every_six_hours_give_or_take_a_tenth(stage: Stage) -> None:
    stage.go(24 * HOUR)
    assert all(18 <= minutes <= 22.1 for minutes in stage.minutes("poll"))
    assert all(5.4 * 60 <= minutes <= 6.7 * 60 for minutes in stage.minutes("build"))
    assert 65 <= len(stage.times("poll")) <= 80
    assert len(stage.times("build")) in (4, 5)
    assert len({round(minutes, 1) for minutes in stage.minutes("poll")}) > 10


def test_the_first_build_waits_for_the_poll_but_not_for_ever(stage: Stage) -> None:
    stage.seconds["poll"] = 600
    stage.go(HOUR / 4)
    assert stage.started[0] == ("poll", START)
    assert stage.times("build") == [START + MINUTE]


def test_polls_go_on_while_a_long_build_runs_and_only_one_build_runs(stage: Stage) -> None:
    stage.clock.step = MINUTE / 12
    stage.seconds["build"] = 10 * 3600
    stage.poll = lambda: polled(outcome(new_plays=60))
    stage.go(9.9 * HOUR)
    assert len(stage.times("build")) == 1
    assert len(stage.times("poll")) > 50


def test_after_a_nearly_full_poll_the_next_comes_in_three_minutes(stage: Stage) -> None:
    brought = iter([40, 0, 39])
    stage.poll = lambda: polled(outcome(new_plays=next(brought, 0)))
    stage.go(HOUR)
    first, second, third = stage.minutes("poll")[:3]
    assert 2.7 <= first <= 3.4
    assert second >= 18
    assert third >= 18


def test_enough_new_plays_bring_a_build_and_are_then_counted_anew(stage: Stage) -> None:
    stage.poll = lambda: polled(outcome(new_plays=10))
    stage.go(3 * HOUR)
    first, second = stage.times("build")[:2]
    polls_between = [moment for moment in stage.times("poll") if first < moment < second]
    # The first poll's 10 are the first build's.
    assert len(polls_between) == 5
    assert stage.state.new_plays < 50


def test_plays_that_come_during_a_build_count_for_the_next_one(stage: Stage) -> None:
    stage.seconds["build"] = 45 * 60
    brought = iter([0, 30, 30])
    stage.poll = lambda: polled(outcome(new_plays=next(brought, 0)))
    stage.go(50 * MINUTE)
    assert len(stage.times("build")) == 2
    assert stage.minutes("build")[0] <= 46


def test_a_build_that_another_run_kept_from_running_is_tried_again_in_two_minutes(stage: Stage) -> None:
    answers = iter([LOCKED, LOCKED])
    usual = stage.build
    stage.build = lambda: next(answers, None) or usual()
    stage.seconds["build"] = 1
    stage.poll = lambda: polled(outcome(new_plays=20))
    stage.go(10 * MINUTE)
    assert len(stage.times("build")) == 3
    assert all(1.8 <= minutes <= 2.3 for minutes in stage.minutes("build"))
    assert stage.state.new_plays == 0


def test_an_account_that_another_process_polls_is_asked_again_soon(stage: Stage) -> None:
    answers = iter([polled(outcome(status="busy", reason="another process is polling this account"), exit_code=3)])
    stage.poll = lambda: next(answers, None) or polled()
    stage.go(30 * MINUTE)
    assert 1.8 <= stage.minutes("poll")[0] <= 2.3


def test_a_wait_that_a_source_asks_for_is_kept_and_no_longer(stage: Stage) -> None:
    at = START + 7 * MINUTE
    answers = iter([polled(outcome(status="waiting", reason="429", retry_at=str(at)))])
    stage.poll = lambda: next(answers, None) or polled()
    stage.go(30 * MINUTE)
    assert at <= stage.times("poll")[1] <= at + MINUTE


def test_a_wait_of_a_day_does_not_keep_other_accounts_from_being_polled(stage: Stage) -> None:
    stage.poll = lambda: polled(outcome(status="waiting", reason="429", retry_at=str(START + 24 * HOUR)), outcome(account_id="b"))
    stage.go(2 * HOUR)
    assert all(minutes <= 22.1 for minutes in stage.minutes("poll"))


@pytest.mark.parametrize("hours", [10, 24 * 14])
def test_what_was_missed_while_the_machine_slept_is_caught_up_once(stage: Stage, hours: int) -> None:
    stage.go(HOUR)
    stage.started.clear()
    stage.clock.moment += hours * HOUR
    woke = stage.clock.moment
    stage.go(10 * MINUTE)
    assert [name for name, _ in stage.started] == ["poll", "build", *(["maintain"] if hours > 7 * 24 else [])]
    assert stage.times("poll")[0] - woke <= MINUTE


def test_a_clock_that_is_set_back_stops_nothing(stage: Stage) -> None:
    stage.go(HOUR)
    stage.started.clear()
    stage.clock.moment -= 365 * 24 * HOUR
    stage.go(HOUR)
    assert 3 <= len(stage.times("poll")) <= 5
    assert len(stage.times("build")) == 1


def test_restarts_neither_skip_nor_repeat_anything(stage: Stage) -> None:
    for _ in range(48):
        stage.go(HOUR / 4 + MINUTE / 3)
        stage.restart()
    assert all(18 <= minutes <= 22.1 for minutes in stage.minutes("poll"))
    assert all(5.4 * 60 <= minutes <= 6.7 * 60 for minutes in stage.minutes("build"))


def test_what_was_due_while_it_was_off_is_caught_up_once(stage: Stage) -> None:
    stage.go(HOUR)
    stage.started.clear()
    stage.clock.moment += 100 * HOUR
    stage.restart()
    stage.go(10 * MINUTE)
    assert [name for name, _ in stage.started] == ["poll", "build"]


def test_builds_of_another_lakehouse_are_due_at_once() -> None:
    state = SchedulerState(build_at=START, build=("one",))
    assert state.of_build(("one",)).build_at == START
    assert state.of_build(("other",)).build_at is None


def test_a_build_that_was_broken_off_is_due_at_the_next_start(stage: Stage) -> None:
    stage.seconds["build"] = 3600
    stage.go(10 * MINUTE)
    assert stage.processes[1].interrupts == 1
    assert stage.state.build_at is None
    stage.restart()
    stage.started.clear()
    stage.go(MINUTE)
    assert [name for name, _ in stage.started] == ["build"]


def test_a_poll_that_runs_at_the_end_may_finish_and_what_it_brought_is_noted(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage.poll = lambda: polled(outcome(new_plays=7))
    stage.seconds["poll"] = 30
    # The end takes the machine's time, which here goes with the clock's.
    monkeypatch.setattr(scheduler.time, "sleep", lambda seconds: stage.clock.wait(10))
    stage.go(10 * dt.timedelta(seconds=1))
    assert stage.processes[0].interrupts == 0
    assert stage.state.new_plays == 7
    assert stage.state.poll_at is not None


def test_what_does_not_end_is_killed(stage: Stage, monkeypatch: pytest.MonkeyPatch, lines: pytest.LogCaptureFixture) -> None:
    monkeypatch.setattr(scheduler, "KILL_SECONDS", 0.2)
    stage.seconds["build"] = 3600
    stage.go(MINUTE / 2)
    stage.clock.stops_at = stage.clock.moment + MINUTE / 2
    monkeypatch.setattr(stage.processes[1], "interrupt", lambda: None)
    stage.scheduler._build.process = stage.processes[1]
    stage.processes[1].ends_at = START + 100 * HOUR
    stage.scheduler._end()
    assert stage.processes[1].left.exit_code == -9
    assert messages(lines, "was killed")
    assert stage.state.build_at is None


def test_without_an_account_it_builds_says_so_once_and_looks_again(stage: Stage, lines: pytest.LogCaptureFixture) -> None:
    stage.clock.step = MINUTE / 4
    stage.poll = lambda: NO_ACCOUNT
    stage.go(24 * HOUR)
    assert len(messages(lines, "no account is connected")) == 1
    assert len(stage.times("build")) >= 4
    stage.poll = lambda: polled(outcome(new_plays=3))
    stage.go(HOUR)
    assert messages(lines, "3 new plays of 1 account,")
    stage.poll = lambda: NO_ACCOUNT
    stage.go(HOUR)
    assert len(messages(lines, "no account is connected")) == 2


def test_a_refusal_is_said_once_a_day_with_what_helps_also_over_restarts(stage: Stage, lines: pytest.LogCaptureFixture) -> None:
    refused = outcome(status="refused", reason="error 17", remedy="show your listening")
    stage.clock.step = MINUTE / 4
    stage.poll = lambda: polled(refused, exit_code=1)
    for _ in range(4):
        stage.go(12 * HOUR)
        stage.restart()
    said = messages(lines, "refused: error 17; show your listening, then `lakehouse poll --again`")
    assert len(said) == 2
    refused["reason"] = "HTTP 403"
    stage.go(HOUR)
    assert len(messages(lines, "HTTP 403")) == 1


def test_gaps_are_said_each_and_hasten_the_next_poll(stage: Stage, lines: pytest.LogCaptureFixture) -> None:
    gap = {"start": "2026-11-30 01:00:00+00:00", "end": "2026-11-30 02:00:00+00:00", "found_at": "2026-11-30 03:00:00+00:00"}
    answers = iter([polled(outcome(new_plays=50, gaps=[gap]))])
    stage.poll = lambda: next(answers, None) or polled()
    stage.go(10 * MINUTE)
    assert messages(lines, "plays may be missing from 2026-11-30 01:00:00+00:00 to 2026-11-30 02:00:00+00:00")
    assert stage.minutes("poll")[0] < 4


def test_the_end_of_a_consent_is_announced_once_a_day_with_the_command(stage: Stage, lines: pytest.LogCaptureFixture) -> None:
    stage.clock.step = MINUTE / 4
    token = Token(
        "spotify_api",
        "a1",
        "anna",
        "Vega",
        "app",
        "scope",
        "secret-refresh",
        "secret-access",
        START,
        START - dt.timedelta(days=145),
    )
    TokenStore(stage.state_dir, "spotify_api").write(token)
    # Six months from 8 July are 39 days away.
    stage.go(HOUR)
    stage.clock.moment += 8 * 24 * HOUR
    stage.restart()
    stage.go(HOUR)
    assert messages(lines, "the consent ends on") == []
    stage.go(72 * HOUR)
    said = messages(lines, "the consent ends on 2027-01-08")
    assert len(said) in (2, 3)
    assert "`lakehouse connect spotify --user anna`" in said[0]
    assert "secret" not in lines.text


def test_a_token_that_cannot_be_read_is_said_and_ends_nothing(stage: Stage, lines: pytest.LogCaptureFixture) -> None:
    folder = stage.state_dir / "tokens" / "spotify_api"
    folder.mkdir(parents=True)
    (folder / "a1.json").write_text("no json")
    stage.go(HOUR)
    assert len(messages(lines, "a1.json cannot be read")) == 1
    assert len(stage.times("poll")) > 2


def test_a_process_that_cannot_be_started_is_tried_again_soon(stage: Stage, lines: pytest.LogCaptureFixture) -> None:
    usual, fails = stage.start, iter([True, True])

    def start(command: Any, settings: Any) -> Process:
        if next(fails, False):
            raise OSError(12, "Cannot allocate memory")
        return usual(command, settings)

    stage.scheduler._start = start
    stage.go(10 * MINUTE)
    assert len(messages(lines, "Cannot allocate memory")) == 2
    assert {name for name, _ in stage.started} == {"poll", "build"}
    assert max(moment for _, moment in stage.started) <= START + 3 * MINUTE


def test_a_state_that_cannot_be_written_ends_nothing(stage: Stage, lines: pytest.LogCaptureFixture) -> None:
    (stage.state_dir / f".{FILE}.part").mkdir(parents=True)
    stage.go(HOUR)
    assert messages(lines, "the state could not be written")
    assert all(18 <= minutes <= 22.1 for minutes in stage.minutes("poll"))


def test_a_crash_of_a_poll_is_said_in_its_own_words(stage: Stage, lines: pytest.LogCaptureFixture) -> None:
    stage.poll = lambda: Ended(1, 1.0, "", "Traceback (most recent call last):\nKeyError: 'items'\n")
    stage.go(MINUTE)
    assert messages(lines, "KeyError: 'items'")
    [record] = [one for one in lines.records if getattr(one, "event", "") == "poll"]
    assert (record.levelname, record.values["exit_code"]) == ("WARNING", 1)


def test_many_refusals_are_told_in_parts_and_hide_no_failure(stage: Stage, lines: pytest.LogCaptureFixture) -> None:
    many = [outcome(account_id=f"r{n}", status="refused", reason="error 17", remedy="show it") for n in range(30)]
    failed = outcome(account_id="f", status="failed", reason="no JSON")
    stage.poll = lambda: polled(*many, failed, exit_code=1)
    stage.go(50 * MINUTE)
    assert len(messages(lines, "refused: error 17")) == 30
    assert len(messages(lines, "and 11 more like these")) == 1
    assert len(messages(lines, "failed: no JSON")) == 2


def test_an_error_of_its_own_leaves_no_process_behind(stage: Stage) -> None:
    stage.seconds["build"] = 3600
    stage.go(2 * MINUTE)
    stage.restart()
    stage.scheduler.heartbeat = stage.state_dir / "nowhere" / "heartbeat"
    stage.scheduler._build.process = stage.start(["build"], {})
    with pytest.raises(FileNotFoundError):
        stage.go(HOUR)
    assert stage.processes[-1].interrupts == 1


def test_plays_are_polled_beside_a_poll_that_fetches_metadata_for_long(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scheduler, "INTERRUPT_POLL_SECONDS", 0)
    stage.clock.step = MINUTE / 12
    stage.seconds["poll"] = 2 * 3600
    brought = iter([0, 45, 10])
    stage.poll = lambda: polled(outcome(new_plays=next(brought, 0)))
    stage.go(1.9 * HOUR)
    assert len(stage.times("poll")) == 1
    first, second, third, *_ = stage.times("plays")
    assert 2.7 * MINUTE <= first - START <= 3.4 * MINUTE
    # The first was nearly full.
    assert 2.7 * MINUTE <= second - first <= 3.4 * MINUTE
    assert third - second >= 18 * MINUTE
    assert len(stage.times("plays")) >= 5
    # Their 55 plays are worth a build, although the poll has not ended.
    assert len(stage.times("build")) == 2


def test_a_poll_that_ends_in_time_has_none_beside_it(stage: Stage) -> None:
    stage.clock.step = MINUTE / 12
    stage.seconds["poll"] = 150
    stage.go(3 * HOUR)
    assert stage.times("plays") == []


def test_what_keeps_metadata_from_being_fetched_is_said_once_a_day(stage: Stage, lines: pytest.LogCaptureFixture) -> None:
    text = "metadata of lastfm_api: error 29"
    stage.poll = lambda: Ended(0, 1.0, json.dumps({"accounts": [outcome()], "metadata": [text]}), "")
    stage.go(2 * HOUR)
    assert messages(lines, text) == [text]


DAY = 24 * HOUR


def test_upkeep_comes_once_a_week_and_first_a_week_after_the_start(stage: Stage) -> None:
    stage.clock.step = 10 * MINUTE
    stage.go(30 * DAY)
    times = stage.times("maintain")
    assert len(times) in (3, 4)
    assert all(6.3 * DAY <= later - earlier <= 7.8 * DAY for earlier, later in itertools.pairwise([START, *times]))


def test_upkeep_is_remembered_over_restarts(stage: Stage) -> None:
    stage.clock.step = 10 * MINUTE
    for _ in range(10):
        stage.go(DAY)
        stage.restart()
    assert len(stage.times("maintain")) == 1


def test_zero_days_switch_upkeep_off(tmp_path: Path) -> None:
    stage = Stage(tmp_path, maintain_days=0)
    stage.clock.step = 10 * MINUTE
    stage.go(30 * DAY)
    assert stage.times("maintain") == []
    assert stage.times("build") != []


def test_upkeep_and_builds_wait_for_each_other(tmp_path: Path) -> None:
    stage = Stage(tmp_path, maintain_days=0.5, interval_hours=1)
    stage.seconds |= {"build": 1500.0, "maintain": 5400.0}
    stage.clock.step = MINUTE
    stage.go(10 * DAY)
    lasting = sorted(
        (moment, moment + MINUTE / 60 * stage.seconds[name], name)
        for name, moment in stage.started
        if name in ("build", "maintain")
    )
    assert all(earlier[1] <= later[0] for earlier, later in itertools.pairwise(lasting))
    assert len(stage.times("maintain")) > 10


@pytest.mark.parametrize(
    ("code", "least", "most"), [(3, MINUTE, 3 * MINUTE), (1, 0.8 * DAY, 1.2 * DAY), (-9, 0.8 * DAY, 1.2 * DAY)]
)
def test_upkeep_that_could_not_be_done_is_tried_again(
    stage: Stage, lines: pytest.LogCaptureFixture, code: int, least: dt.timedelta, most: dt.timedelta
) -> None:
    results = iter([Ended(code, 1.0, "", "error: no luck\n")])
    stage.maintain = lambda: next(results, MAINTAINED)
    stage.clock.step = MINUTE / 2
    stage.go(10 * DAY)
    first, second = stage.times("maintain")[:2]
    assert least <= second - first <= most
    assert bool(messages(lines, "no luck")) == (code != 3)
    assert messages(lines, "upkeep ended with exit code 0: 10 files before, 3 now")


def test_upkeep_that_is_broken_off_by_a_stop_is_due_at_the_next_start(stage: Stage) -> None:
    stage.clock.step = 10 * MINUTE
    stage.seconds["maintain"] = 5 * 3600
    while not stage.times("maintain"):
        stage.go(HOUR)
    upkeep = [name for name, _ in stage.started].index("maintain")
    assert stage.processes[upkeep].interrupts == 1
    stage.restart()
    stage.go(2 * HOUR)
    assert len(stage.times("maintain")) == 2
