"""The comparison on any file: what decides who and what is ranked, and files and options that cannot be used."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from bench.recommenders import temporal
from lakehouse.settings import PROJECT_ROOT
from recommenders import protocol
from recommenders.als import factorise

START = pd.Timestamp("2024-01-01", tz="UTC")


def played(users: int = 30, items: int = 40, plays: int = 60) -> pd.DataFrame:
    """Listens of a hundred days as a file tells them, artists and skips too."""
    rng = np.random.default_rng(3)
    rows = users * plays
    track = rng.integers(0, items, rows)
    return pd.DataFrame(
        {
            "user_id": [f"u{n:02d}" for n in np.repeat(np.arange(users), plays)],
            "track_id": [f"t{n:02d}" for n in track],
            "played_at": START + pd.to_timedelta(rng.integers(0, 100 * 86_400, rows), unit="s"),
            "is_listen": True,
            "is_skip": rng.random(rows) < 0.4,
            "artist_key": [f"a{n % 5}" for n in track],
        }
    )


def pairs_of(plays: pd.DataFrame) -> pd.DataFrame:
    counted = (plays["is_listen"] & ~plays["is_skip"]).astype(float)
    names = {"user_id": "user", "track_id": "item", "played_at": "at", "artist_key": "artist"}
    return plays.rename(columns=names)[list(names.values())].assign(plays=counted)


def test_later_plays_do_not_decide_which_items_are_ranked() -> None:
    plays = pairs_of(played())
    answer = temporal(plays, [5, 10], factorise, ["MostPop", "Expected plays"])
    assert answer["models"].keys() == {"MostPop", "Expected plays", "Blend"}
    rare = plays[plays["at"] > plays["at"].max() - pd.Timedelta(days=10)].assign(item="rare")
    early = plays[plays["at"] < START + pd.Timedelta(days=9)].iloc[:4].assign(item="rare")
    again = temporal(pd.concat([plays, rare, early]), [5, 10], factorise, ["MostPop", "Expected plays"])
    assert (again["users"], again["items"]) == (answer["users"], answer["items"]) == (30, 40)


def test_the_test_window_is_as_long_as_the_one_that_weights_are_chosen_on(monkeypatch: pytest.MonkeyPatch) -> None:
    lengths, split = [], protocol.temporal_split

    def told(plays: pd.DataFrame, at: pd.Timestamp, until: pd.Timestamp, **options: Any) -> protocol.Split:
        lengths.append((until - at).total_seconds())
        return split(plays, at, until, **options)

    monkeypatch.setattr(protocol, "temporal_split", told)
    temporal(pairs_of(played()), [5, 10], factorise, ["MostPop"])
    assert lengths == pytest.approx([lengths[0]] * 4)


def test_order_of_rows_and_an_artist_told_here_and_there_change_nothing() -> None:
    plays = pairs_of(played())
    told = plays.assign(artist=plays["artist"].where(np.arange(len(plays)) % 3 > 0, None))
    found = [temporal(rows, [5, 10], factorise, ["Artists", "Expected plays"])["models"] for rows in (plays, told, told[::-1])]
    assert found[0] == found[1] == found[2]


def compared(tmp_path: Path, plays: pd.DataFrame, *options: str) -> Any:
    path = tmp_path / "plays.parquet"
    plays.to_parquet(path)
    command = [sys.executable, str(PROJECT_ROOT / "bench/recommenders.py"), str(path), "--format", "listens", "--without-java"]
    return subprocess.run([*command, *options], capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    ("change", "options", "problem"),
    [
        ({"is_skip": None}, [], "is_skip is null, and not true or false"),
        ({"is_skip": 1}, [], "is_skip is int64"),
        ({"artist_key": "drop"}, [], "has is_listen and no artist_key"),
        ({"played_at": 1_700_000_000}, [], "played_at is int64, and no time"),
        ({"played_at": START}, [], "nothing to test"),
        ({}, ["--models", "MostPop", "mostpop"], "there is no 'mostpop'"),
        ({}, ["--hidden", "other"], "choose one"),
    ],
)
def test_what_cannot_be_compared_is_told_in_a_line(
    tmp_path: Path, change: dict[str, Any], options: list[str], problem: str
) -> None:
    plays = played().drop(columns=[name for name, value in change.items() if value == "drop"])
    plays = plays.assign(**{name: value for name, value in change.items() if value != "drop"})
    done = compared(tmp_path, plays, "--temporal", *options)
    assert done.returncode == 2
    assert problem in done.stderr.splitlines()[-1]
    assert done.stdout == ""
