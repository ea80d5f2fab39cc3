"""What was planted is written down, and a plain statistic finds it; where nothing was planted it finds nothing."""

from __future__ import annotations

import csv
import datetime as dt
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from synthetic.histories import read_history
from synthetic.measures import HOUR_MS, History
from tests.synthetic.conftest import START, Generate

WEEK_MS = 7 * 24 * HOUR_MS


@dataclass(frozen=True)
class Evidence:
    """A history with its tracks' genres and valence."""

    history: History
    genres: list[set[str]]
    valence: np.ndarray[Any, np.dtype[np.float64]]
    users: list[str]


def evidence(folder: Path, catalogue: Path) -> Evidence:
    history = read_history(folder, catalogue)
    with catalogue.open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    genres: dict[str, set[str]] = {}
    for row in rows:
        genres.setdefault(row["track_id"], set()).add(row["track_genre"])
    valence = {row["track_id"]: float(row["valence"]) for row in rows}
    ids = track_ids(folder, history)
    with (folder / "_listeners.csv").open(encoding="utf-8", newline="") as stream:
        users = [row["user_id"] for row in csv.DictReader(stream) if int(row["plays"])]
    return Evidence(history, [genres[track] for track in ids], np.array([valence[track] for track in ids]), users)


def track_ids(folder: Path, history: History) -> list[str]:
    """The Spotify id of each play of the history, which is in the order of the files."""
    from tests.synthetic.test_plays import rows_of

    ids = [row["track_uri"].removeprefix("spotify:track:") for row in rows_of(folder)]
    assert len(ids) == len(history)
    return ids


@pytest.fixture(scope="module")
def planted(folder: Path, catalogue: Path) -> Evidence:
    return evidence(folder, catalogue)


@pytest.fixture(scope="module")
def plain(generated: Generate, catalogue: Path, tmp_path_factory: pytest.TempPathFactory) -> Evidence:
    out = tmp_path_factory.mktemp("plain") / "listeners"
    generated(out, listeners=600, plays=400)
    return evidence(out, catalogue)


@pytest.fixture(scope="module")
def told(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "_planted.json").read_text())
    return found


def monday_t(of: Evidence) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Welch's t of valence on Mondays against other days, per listener with 30 Monday plays or more; else NaN."""
    found = np.full(len(of.users), np.nan)
    for listener in range(len(of.users)):
        is_own = of.history.listener == listener
        monday = of.valence[is_own & (of.history.weekday == 0)]
        other = of.valence[is_own & (of.history.weekday != 0)]
        if len(monday) >= 30 and len(other) >= 30:
            error = (monday.var(ddof=1) / len(monday) + other.var(ddof=1) / len(other)) ** 0.5
            found[listener] = (monday.mean() - other.mean()) / error
    return found


def weekly(of: Evidence) -> np.ndarray[Any, np.dtype[np.float64]]:
    """(listeners, weeks): plays of each listener by week from the period's first Monday."""
    first_monday = START + dt.timedelta(days=-START.weekday() % 7)
    begin = (first_monday - dt.date(1970, 1, 1)).days * 24 * HOUR_MS
    week = (of.history.local - begin) // WEEK_MS
    counts = np.zeros((len(of.users), 53))
    kept = (week >= 0) & (week < 53)
    np.add.at(counts, (of.history.listener[kept], week[kept]), 1)
    return counts


def test_members_of_a_taste_group_play_its_genres(planted: Evidence, told: dict[str, Any]) -> None:
    groups = [set(genres) for genres in told["taste_groups"]["groups"]]
    assert sorted(genre for genres in groups for genre in genres) == sorted(set().union(*planted.genres))
    own = np.array(
        [
            [not genres.isdisjoint(group) for group in groups]
            for genres in (planted.genres[play] for play in range(0, len(planted.genres), 10))
        ]
    )
    listener = planted.history.listener[::10]
    shares = np.array([own[listener == n].mean(axis=0) for n in range(len(planted.users)) if (listener == n).sum() >= 10])
    numbers = [int(user.split(":")[1]) for n, user in enumerate(planted.users) if (listener == n).sum() >= 10]
    found = shares.argmax(axis=1)
    expected = (np.array(numbers) - 1) % len(groups)
    assert "(number - 1) % 3" in told["taste_groups"]["rule"]
    assert (found == expected).mean() > 0.95


def test_the_notes_name_each_listener_s_group(folder: Path) -> None:
    with (folder / "_listeners.csv").open(encoding="utf-8", newline="") as stream:
        assert [int(row["taste_group"]) for row in csv.DictReader(stream)] == [n % 3 for n in range(600)]


def test_one_listener_s_mood_falls_on_mondays(planted: Evidence, plain: Evidence, told: dict[str, Any]) -> None:
    t = monday_t(planted)
    assert planted.users[int(np.nanargmin(t))] == told["mood_falls_on_mondays"]["user_id"]
    assert np.nanmin(t) < -6
    assert np.nanmin(np.delete(t, int(np.nanargmin(t)))) > -6
    assert np.nanmin(monday_t(plain)) > -6


def test_one_listener_plays_five_times_as_much_in_a_week(planted: Evidence, told: dict[str, Any]) -> None:
    week = told["anomaly_week"]
    counts = weekly(planted)[planted.users.index(week["user_id"])]
    first_monday = START + dt.timedelta(days=-START.weekday() % 7)
    at = (dt.date.fromisoformat(week["first_day"]) - first_monday).days // 7
    assert dt.date.fromisoformat(week["first_day"]).weekday() == 0
    assert int(np.argmax(counts)) == at
    others = np.delete(counts, at)[1:-1]
    assert 3.5 < counts[at] / others.mean() < 6.5
    assert (counts[at] - others.mean()) / others.std() > 5
