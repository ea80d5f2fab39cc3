"""Hours of a scheduler in simulated time, with real polls and restarts: no play is lost or doubled.

A week is bench/scheduler_week.py.
"""

from __future__ import annotations

import datetime as dt
from pathlib import Path

from tests.scheduling.simulated_clock import SharedClock
from tests.scheduling.simulation import HOUR, START, LivingSpotify, Report, Simulation

POLLS_ONLY = {"LAKEHOUSE_INTERVAL_HOURS": "100", "LAKEHOUSE_BUILD_AFTER_PLAYS": "100000"}


def hours(folder: Path, *lengths: float, **settings: str) -> Report:
    """Lives of so many hours, with a rush after ten minutes."""
    clock = SharedClock.create(folder / "clock", START)
    # A poll takes seconds, on a busy machine many: not so many minutes that the plays of a rush fall out between two polls.
    clock.speed = 12.0
    moments = [START + dt.timedelta(minutes=4 * n, seconds=7) for n in range(45)]
    ends = [START + sum(lengths[: number + 1]) * HOUR for number in range(len(lengths))]
    with LivingSpotify(clock, moments, rushes=[START + HOUR / 6]) as server:
        simulation = Simulation(folder, server, clock)
        return simulation.run(ends, build=["--only", "bronze", "--dry-run"], settings=POLLS_ONLY | settings)


def missing(report: Report) -> list[str]:
    """Plays of before the last poll that are in no poll file; the others are the next one's."""
    last = report.events("poll")[-1]["time"]
    return [key for key in report.played if key[:19] < last[:19] and key not in report.received]


def test_hours_with_restarts_and_a_rush_lose_no_play(tmp_path: Path) -> None:
    report = hours(tmp_path, 1.5, 0.6, 0.4)
    assert missing(report) == []
    assert len(report.received) > 110
    assert set(report.received.values()) == {1}
    assert report.state.gaps == ()
    assert [life.exit_code for life in report.lives] == [0, 0, 0]
    assert max(life.stop_seconds for life in report.lives) < 20
    assert max(life.highest_mb for life in report.lives) < 150
    # Neither more nor fewer for the restarts: one at the start, then every 18 to 22 minutes, and a few sooner.
    assert 7 <= len(report.events("poll", exit_code=0)) <= 12
    assert len(report.events("consent")) == 1
    # The server's tokens all begin so.
    for place in (tmp_path / "log", tmp_path / "state" / "scheduler.json"):
        assert "secret-" not in place.read_text()


def test_such_a_rush_without_a_sooner_poll_is_told_as_a_gap(tmp_path: Path) -> None:
    report = hours(tmp_path, 1.3, LAKEHOUSE_POLL_FULL_MINUTES="20")
    assert len(missing(report)) >= 3
    assert len(report.state.gaps) == len(report.events("gap")) == 1
