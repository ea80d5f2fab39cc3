"""Small histories of odd names and odd lives, beside a small catalogue."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from music.settings import ListeningSettings
from tests.end_to_end.pipeline import Answer, Pipeline

LANDINGS = Path(__file__).parent / "landings"
NAMES, SESSIONS, RENAMED, LADDER, LIVES = (
    "09-names-that-look-like-nothing",
    "25-sessions",
    "55-one-renamed-track-two-listeners",
    "49-ladder-by-name",
    "57-odd-lives",
)
# Kept and set aside rows of each listener of LIVES.
KEPT = {
    "zero": (5, 0),
    "onlypod": (0, 1),
    "single": (1, 0),
    "samesecond": (8, 0),
    "blank": (3, 0),
    "Zoë": (8, 0),
    "skipall": (8, 0),
    "day": (8, 0),
    "long name ümlaut 你好": (3, 0),
}


class Lives:
    """All cases in one landing folder, built by one run."""

    def __init__(self, folder: Path) -> None:
        self.pipeline = Pipeline(folder)
        listeners = self.pipeline.landing / "listeners"
        for name in (NAMES, SESSIONS):
            shutil.copytree(LANDINGS / name / "landing", listeners / name)
        shutil.copytree(LANDINGS / LADDER / "landing", listeners / LADDER)
        (listeners / LADDER / "dataset.csv").rename(self.pipeline.landing / "dataset.csv")
        shutil.copytree(LANDINGS / LIVES / "landing" / "listeners", listeners, dirs_exist_ok=True)
        shutil.copytree(LANDINGS / RENAMED / "landing", self.pipeline.landing, dirs_exist_ok=True)
        self.answer: Answer = self.pipeline.build()

    def rows(self, user_id: str, table: str) -> list[dict[str, Any]]:
        return self.pipeline.rows(table, user_id=user_id)


@pytest.fixture(scope="module")
def lives(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lives]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(ListeningSettings.model_config, "env_file", None)
        yield Lives(tmp_path_factory.mktemp("lives"))


def test_names_that_look_like_nothing_are_names(lives: Lives) -> None:
    plays = lives.rows(NAMES, "silver.listening_with_features")
    counts = Counter(row["artist_name"] for row in plays)
    assert (len(plays), len(counts), set(counts.values())) == (44, 22, {2})
    assert {"NaN", "nan", "null", "NULL", "None", "N/A", "-", "0", "a\tb", "</script><img src=x onerror=alert(1)>"} <= set(counts)
    artists = {row["artist_name"]: row["plays"] for row in lives.rows(NAMES, "gold.artist_stats")}
    assert artists == dict(counts)


def test_no_name_is_a_part_of_the_report(lives: Lives, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    assert lives.pipeline.call("report", "--user", NAMES, "--out", str(page)).code == 0
    assert "<img src=x" not in page.read_text()


def test_sessions_end_where_nothing_plays_for_more_than_half_an_hour(lives: Lives) -> None:
    sessions = sorted(lives.rows(SESSIONS, "silver.sessions"), key=lambda row: row["started_at"])
    assert [row["plays"] for row in sessions] == [2, 1, 3]


def test_the_catalogue_is_found_by_name_in_every_spelling(lives: Lives) -> None:
    plays = sorted(lives.rows(LADDER, "silver.listening_with_features"), key=lambda row: row["play_number"])
    assert {row["feature_source"] for row in plays} == {"kaggle_name"}
    assert [row["valence"] for row in plays] == [0.11, 0.11, 0.22, 0.33, 0.44, 0.55, 0.66, 0.66]


def test_a_renamed_track_is_recommended_to_both_who_heard_it(lives: Lives) -> None:
    for user in ("me", "anna"):
        lists = Counter((row["list"], row["track_id"]) for row in lives.rows(user, "gold.user_recommendations"))
        assert lists
        assert set(lists.values()) == {1}


@pytest.mark.parametrize("user", KEPT)
def test_every_row_of_an_odd_life_counts(lives: Lives, user: str) -> None:
    found = Counter(row["disposition"] for row in lives.rows(user, "silver.plays"))
    assert (found["kept"], found["set_aside"], found.total()) == (*KEPT[user], sum(KEPT[user]))
