"""Suggestions through the whole pipeline: a dislike takes a track out, for its listener only; increments equal a rebuild."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from tests.end_to_end.pipeline import Pipeline, assert_same_content, export_row, kaggle_csv, track_uri

PLAYLISTS = "gold.personalized_playlist_suggestions"
TABLES = (
    PLAYLISTS,
    "gold.mood_improvement_recommendations",
    "gold.mood_intervention_triggers",
    "gold.optimal_listening_times",
)
ONLY = [part for name in TABLES for part in ("--only", name)]


def catalogue(tracks: int = 400) -> str:
    rng = np.random.default_rng(6)
    names = ("danceability", "energy", "acousticness", "instrumentalness", "valence")
    rows: list[dict[str, Any]] = [
        {
            "track_id": f"{n:022d}",
            "track_name": f"Track {n}",
            "artists": f"Artist {n % 60}",
            "track_genre": ("rock", "folk")[n % 2],
            "popularity": int(rng.integers(0, 100)),
            "speechiness": 0.05,
            "tempo": round(float(rng.uniform(80, 190)), 1),
            **{name: round(float(rng.random()), 3) for name in names},
        }
        for n in range(1, tracks + 1)
    ]
    return kaggle_csv(*rows)


def plays(days: int, month: int, seed: int) -> list[dict[str, Any]]:
    rng = np.random.default_rng(seed)
    tracks = rng.integers(1, 200, (days, 10))
    return [
        export_row(
            f"2024-{month:02d}-{day + 1:02d}T{8 + nth:02d}:30:00Z", int(n), master_metadata_album_artist_name=f"Artist {n % 60}"
        )
        for day in range(days)
        for nth, n in enumerate(tracks[day])
    ]


def suggested(pipeline: Pipeline, user: str) -> set[str]:
    return {row["track_id"] for row in pipeline.rows(PLAYLISTS, user_id=user)}


def test_a_dislike_takes_effect_for_its_listener_and_increments_equal_a_rebuild(pipeline: Pipeline, tmp_path: Path) -> None:
    pipeline.write("dataset.csv", catalogue())
    for user in ("ann", "bob"):
        pipeline.write(f"listeners/{user}/a.json", plays(25, 1, seed=len(user) + ord(user[0])))
    first = pipeline.build(*ONLY).document["run_id"]
    before = suggested(pipeline, "ann")
    unwanted = sorted(before & suggested(pipeline, "bob"))[0]
    assert len(pipeline.rows(PLAYLISTS, user_id="ann")) == 120
    pipeline.write("listeners/ann/dislikes.csv", f"track_id\n{track_uri(int(unwanted))}\n")
    pipeline.write("listeners/ann/b.json", plays(10, 2, seed=3))
    pipeline.build(*ONLY)
    assert unwanted not in suggested(pipeline, "ann")
    assert unwanted in suggested(pipeline, "bob")
    assert {row["_run_id"] for row in pipeline.rows(PLAYLISTS, "_run_id", user_id="bob")} == {first}
    whole = Pipeline(tmp_path / "whole")
    whole.landing = pipeline.landing
    whole.build(*ONLY)
    assert_same_content(
        {name: pipeline.rows(name) for name in TABLES},
        {name: whole.rows(name) for name in TABLES},
    )
