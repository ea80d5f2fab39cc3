"""A small catalogue and a folder of listeners generated over it."""

from __future__ import annotations

import csv
import datetime as dt
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from synthetic.generate import generate
from synthetic.histories import read_history
from synthetic.measures import History
from tests.landing_files import CATALOGUE_HEADER

START, END = dt.date(2023, 1, 1), dt.date(2024, 1, 1)
GENRES = tuple(f"genre {number:02d}" for number in range(12))
Generate = Callable[..., dict[str, Any]]


def write_catalogue(path: Path, tracks: int = 6_000, artists: int = 1_500) -> Path:
    """A catalogue with artists of unequal size and popularity; every fifth track stands under two genres."""
    rng = np.random.default_rng(3)
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, CATALOGUE_HEADER.split(",")[1:])
        writer.writeheader()
        for number in range(tracks):
            artist = int(artists * rng.random() ** 2)
            row = {
                "track_id": f"{number:022d}",
                "artists": f"Artist {artist};Guest, the {number % 7}",
                "album_name": f'Album "{number // 10}"',
                "track_name": f"Track {number}",
                "popularity": int(rng.integers(0, 100)),
                "duration_ms": int(rng.lognormal(np.log(213_000), 0.35)),
                "explicit": "False",
                **{name: round(float(rng.random()), 3) for name in ("danceability", "energy", "valence")},
                "tempo": round(float(rng.normal(122, 30)), 3),
                "track_genre": GENRES[artist % len(GENRES)],
            }
            writer.writerow(row)
            if number % 5 == 0:
                writer.writerow(row | {"track_genre": GENRES[(artist + 1) % len(GENRES)]})
    return path


@pytest.fixture(scope="session")
def catalogue(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_catalogue(tmp_path_factory.mktemp("catalogue") / "dataset.csv")


@pytest.fixture(scope="session")
def generated(catalogue: Path) -> Generate:
    """`generate` over the small catalogue and a year, 40 listeners with 200 plays each unless told otherwise."""

    def call(out: Path, **changes: Any) -> dict[str, Any]:
        arguments = {"catalogue": catalogue, "listeners": 40, "plays": 200, "seed": 5, "start": START, "end": END}
        return generate(out=out, **(arguments | changes))

    return call


@pytest.fixture(scope="session")
def folder(generated: Generate, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """600 listeners with 400 plays each and planted structure."""
    out = tmp_path_factory.mktemp("generated") / "listeners"
    generated(out, listeners=600, plays=400, plant=3)
    return out


@pytest.fixture(scope="session")
def history(folder: Path, catalogue: Path) -> History:
    return read_history(folder, catalogue)
