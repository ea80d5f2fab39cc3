"""Due times: bounds that hold for all settings and all results."""

from __future__ import annotations

import datetime as dt
import random
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from scheduling.results import PollResult
from scheduling.settings import SchedulerSettings
from scheduling.timetable import BREATH, JITTER, Timetable
from tests.scheduling.scripted import MINUTE, START, outcome

SETTINGS = st.builds(
    lambda **values: SchedulerSettings(_env_file=None, **values),
    poll_minutes=st.floats(1, 1440),
    poll_full_minutes=st.floats(1, 1440),
    build_after_plays=st.integers(1, 1000),
    interval_hours=st.floats(1 / 60, 100),
)
ACCOUNTS = st.lists(
    st.builds(
        lambda new, wait: outcome(new_plays=new, retry_at=None if wait is None else (START + wait).isoformat()),
        st.integers(0, 200),
        st.none() | st.timedeltas(dt.timedelta(-10), dt.timedelta(10)),
    ),
    max_size=3,
)
TOOK = st.timedeltas(dt.timedelta(0), dt.timedelta(hours=5))


@given(SETTINGS, ACCOUNTS, st.sampled_from([0, 1, 2, 3, -9]), TOOK, st.integers())
def test_a_poll_is_never_due_at_once_and_never_too_late(
    settings: SchedulerSettings, accounts: list[dict[str, Any]], exit_code: int, took: dt.timedelta, seed: int
) -> None:
    timetable, ended = Timetable(settings, random.Random(seed)), START + took  # noqa: S311
    due = timetable.after_poll(START, ended, PollResult(exit_code, accounts))
    assert due >= ended + BREATH
    assert due <= max(START + settings.poll_interval * (1 + JITTER), ended + BREATH)
    # What was just planned is not taken for a time from a clock that was set back.
    assert not timetable.poll_is_due(due, ended)
    assert timetable.poll_is_due(due, due)


@given(SETTINGS, st.sampled_from([0, 1, 2, 3, -9]), TOOK, st.integers(0, 2000), st.integers())
def test_a_build_is_due_at_once_only_for_new_plays(
    settings: SchedulerSettings, exit_code: int, took: dt.timedelta, new_plays: int, seed: int
) -> None:
    timetable, ended = Timetable(settings, random.Random(seed)), START + took  # noqa: S311
    due = timetable.after_build(START, ended, exit_code, new_plays)
    is_at_once = exit_code not in (2, 3) and new_plays >= settings.build_after_plays
    assert (due == ended) == is_at_once
    assert timetable.build_is_due(due, ended) == is_at_once
    # After wrong settings a build comes as soon as a poll, as a person may have mended them.
    soon = settings.poll_interval * (1 + JITTER) if exit_code == 2 else 3 * MINUTE
    assert due <= max(START + settings.build_interval * (1 + JITTER), ended + soon)


def test_installations_differ_and_one_random_repeats() -> None:
    settings = SchedulerSettings(_env_file=None)

    def due(seed: int) -> dt.datetime:
        return Timetable(settings, random.Random(seed)).after_poll(START, START, PollResult(0))  # noqa: S311

    assert len({due(seed) for seed in range(50)}) == 50
    assert due(1) == due(1)


def test_a_source_that_asks_for_a_moment_is_not_asked_more_often_than_after_a_full_poll() -> None:
    timetable = Timetable(SchedulerSettings(_env_file=None), random.Random(1))  # noqa: S311
    waits = outcome(status="waiting", retry_at=(START + MINUTE).isoformat())
    assert timetable.after_poll(START, START, PollResult(0, [waits])) >= START + 3 * MINUTE
