"""The listeners listen like people: published figures, each in its range (docs/decisions/0009 has the sources)."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import numpy as np
import pytest

from synthetic import measures
from synthetic.histories import read_history
from synthetic.measures import History
from tests.synthetic.conftest import Generate

RANGES = {
    "left within 5 s": (0.21, 0.27),
    "left within 30 s": (0.33, 0.39),
    "left before the end": (0.45, 0.52),
    "left before the end, weekends less weekdays": (0.01, 0.08),
    "left before the end, teens": (0.5, 0.7),
    "left before the end, ages 33-37": (0.25, 0.35),
    "left per hour played": (14, 15),
    "log plays a session, standard deviation": (0.95, 1.25),
    "weekends later than weekdays, hours": (0.4, 1.6),
}
OF_ARTISTS = {
    "top 1% of artists, share of plays": (0.46, 0.58),
    "top 10% of artists, share of plays": (0.80, 0.90),
    "Gini coefficient of artists": (0.86, 0.92),
    "rank slope, p10": (-1.45, -1.05),
    "rank slope, median": (-0.89, -0.69),
    "rank slope, p90": (-0.65, -0.38),
    "top artist, median share": (0.10, 0.155),
    "top five artists, median share": (0.31, 0.42),
}


def assert_in_ranges(found: dict[str, float], ranges: dict[str, tuple[float, float]]) -> None:
    outside = {name: found[name] for name, (low, high) in ranges.items() if not low <= found[name] <= high}
    assert outside == {}


@pytest.fixture(scope="module")
def real_catalogue_listeners(real_data: Path, generated: Generate, tmp_path_factory: pytest.TempPathFactory) -> History:
    catalogue = real_data / "kaggle" / "dataset.csv"
    out = tmp_path_factory.mktemp("real") / "listeners"
    generated(out, catalogue=catalogue, listeners=1500, plays=700, end=dt.date(2025, 1, 1), seed=11)
    return read_history(out, catalogue)


def test_skips_sessions_and_hours_are_those_of_people(history: History, folder: Path) -> None:
    found = measures.all_measures(history) | measures.skips_by_age(history, folder / "_listeners.csv")
    assert_in_ranges(found, RANGES)
    assert_hours(found)


def test_artists_of_the_whole_catalogue_are_played_as_unequally_as_published(real_catalogue_listeners: History) -> None:
    found = measures.all_measures(real_catalogue_listeners)
    ages = {name: limits for name, limits in RANGES.items() if "teens" not in name and "ages" not in name}
    assert_in_ranges(found, ages | OF_ARTISTS)
    assert_hours(found)


def assert_hours(found: dict[str, float]) -> None:
    for feature in ("tempo", "danceability"):
        assert 12 <= found[f"{feature} lowest at hour"] <= 16
        assert found[f"{feature} highest at hour"] in (21, 22, 23, 0, 1)


def test_the_day_has_its_parts_at_weekends_too_but_later(history: History) -> None:
    weekend = history.weekday >= 5
    hour = history.hour
    for is_part_of_week in (weekend, ~weekend):
        shares = np.histogram(hour[is_part_of_week], [0, 4, 11, 16, 20.5, 24])[0] / is_part_of_week.sum()
        assert (shares > 0.04).all()
        assert shares.argmin() == 0
    mornings = (hour >= 5) & (hour < 9)
    assert mornings[weekend].mean() < 0.75 * mornings[~weekend].mean()


def test_a_listener_has_genres_of_their_own(history: History) -> None:
    # Two random plays of one listener share the artist far more often than plays of two listeners do.
    rng = np.random.default_rng(1)
    one, other = rng.integers(0, len(history), (2, 400_000))
    same_artist = history.artist[one] == history.artist[other]
    is_one_listener = history.listener[one] == history.listener[other]
    assert same_artist[is_one_listener].mean() > 3 * same_artist[~is_one_listener].mean()


def test_recent_plays_return_sooner_than_old_ones(history: History) -> None:
    number = history.number
    chances = [measures.share_same_after(history, number, lag) for lag in (1, 10, 100)]
    assert chances[0] > 1.3 * chances[1] > 1.3 * chances[2]


def test_listeners_join_and_leave_and_differ_in_how_much_they_play(history: History, folder: Path) -> None:
    days = [line.split(",")[4:6] for line in (folder / "_listeners.csv").read_text().splitlines()[1:]]
    first, last = zip(*[(dt.date.fromisoformat(a), dt.date.fromisoformat(b)) for a, b in days], strict=True)
    joined_early = sum(day < dt.date(2023, 1, 8) for day in first) / len(first)
    second_half = sum(dt.date(2023, 7, 1) < day for day in first)
    first_half = sum(dt.date(2023, 1, 8) < day <= dt.date(2023, 7, 1) for day in first)
    assert 0.33 < joined_early < 0.48
    assert second_half > first_half
    assert 0.2 < sum(day < dt.date(2023, 12, 20) for day in last) / len(last) < 0.6
    # The two listeners with planted structure play most.
    plays = np.sort(np.bincount(history.listener))[:-2]
    assert 0.9 < plays.mean() / 400 < 1.1
    assert 0.8 < plays.std() / plays.mean() < 1.7


def test_an_average_is_what_was_asked_for(generated: Generate, tmp_path: Path) -> None:
    for plays, listeners in ((15, 8_000), (60, 4_000), (300, 1_200)):
        made = generated(tmp_path / str(plays), listeners=listeners, plays=plays)["plays"] / listeners
        # Six standard errors of the mean, were the standard deviation 1.3 times the mean.
        assert made == pytest.approx(plays, rel=6 * 1.3 / listeners**0.5)
