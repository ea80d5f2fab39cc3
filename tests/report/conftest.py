"""Lakehouses of the hostile history, each built once for the tests of the report and of the browser."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.built import built
from tests.end_to_end.pipeline import Pipeline
from tests.landing_files import as_stream, synthetic_play
from tests.report.histories import HOSTILE_LISTENER, SHOWN, SYNTHETIC_LISTENER, hostile_rows, land_hostile


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Pipeline:
    """One listener, `me`."""
    return Pipeline(built("hostile", build_hostile, tmp_path_factory.mktemp("hostile")))


def build_hostile(folder: Path) -> None:
    """The lakehouse of `hostile`."""
    pipeline = Pipeline(folder)
    land_hostile(pipeline)
    pipeline.build(*SHOWN)


def made_up(row: Mapping[str, Any]) -> dict[str, Any]:
    """A play of an export as one of the synthetic listener, whose `ts` is the start."""
    ended = dt.datetime.fromisoformat(row["ts"].removesuffix("Z"))
    names = {"track_name": "track_name", "artist_name": "album_artist_name", "album_name": "album_album_name"}
    track = {name: row[f"master_metadata_{theirs}"] for name, theirs in names.items()}
    return synthetic_play(
        user_id=SYNTHETIC_LISTENER,
        timezone="UTC",
        ts=ended - dt.timedelta(milliseconds=row["ms_played"]),
        ms_played=row["ms_played"],
        track={"track_uri": row["spotify_track_uri"], **track},
    )


@pytest.fixture(scope="module")
def several(tmp_path_factory: pytest.TempPathFactory) -> Pipeline:
    """`me`, a listener with a hostile name and fewer plays, and a synthetic one with most."""
    return Pipeline(built("several", build_several, tmp_path_factory.mktemp("several")))


def build_several(folder: Path) -> None:
    """The lakehouse of `several`."""
    pipeline = Pipeline(folder)
    land_hostile(pipeline)
    rows = hostile_rows()
    pipeline.write(f"listeners/{HOSTILE_LISTENER}/history.json", rows[:50])
    later = [row | {"ts": row["ts"].replace("2024", "2022")} for row in rows if "2024" in row["ts"]]
    pipeline.write("listeners.arrows", as_stream([made_up(row) for row in rows + later]))
    pipeline.build(*SHOWN)


@pytest.fixture
def pipeline(tmp_path: Path) -> Pipeline:
    """An empty landing folder and no lakehouse yet."""
    return Pipeline(tmp_path / "own")
