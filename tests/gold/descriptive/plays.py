"""Pseudo-random plays of three listeners, made to hit the edges: ties, short and unnamed plays, every rung of the ladder."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa
from pyspark.sql import DataFrame, SparkSession

from music.audio_features import CONTINUOUS, MEASURED
from silver.listening_with_features import listening_with_features
from tests.frames import UTC, collect, frame, play

SOURCES = ("api", "kaggle_id", "kaggle_name", "artist_mean", "synthetic", None)
MOODS = ("Happy_Energetic", "Happy_Calm", "Sad_Energetic", "Sad_Calm", "Neutral")
UPSTREAM = f"silver.{listening_with_features.__name__}"
LISTENERS = {"heavy": 400, "light": 60, "rare": 7}


def computed(
    spark: SparkSession, transform: Callable[[DataFrame], DataFrame], rows: list[dict[str, Any]]
) -> list[dict[str, Any]]:
    """The rows of the gold table of that transform, made from rows of silver.listening_with_features, sorted by key."""
    return collect(f"gold.{transform.__name__}", transform(frame(spark, UPSTREAM, rows)))


def random_plays(seed: int = 20240101) -> list[dict[str, Any]]:
    """Rows of silver.listening_with_features over some sixteen months, with silent days and weeks in between."""
    draw = np.random.default_rng(seed)
    rows: list[dict[str, Any]] = []
    for listener, count in LISTENERS.items():
        days = np.sort(draw.choice(np.arange(480), size=max(3, count // 4), replace=False))
        for _ in range(count):
            start = dt.datetime(2022, 9, 20, tzinfo=UTC) + dt.timedelta(
                days=int(draw.choice(days)), hours=int(draw.choice([0, 5, 8, 13, 22, 23])), seconds=int(draw.integers(0, 3600))
            )
            rows.append(_random_play(draw, len(rows), listener, start))
    return rows


def _random_play(draw: np.random.Generator, number: int, listener: str, start: dt.datetime) -> dict[str, Any]:
    # Few tracks and few durations, so that counts and minutes tie; the track fixes artist, genres and features.
    track = int(draw.integers(0, 30))
    artist = None if track % 11 == 10 else track % 7
    source = SOURCES[track % len(SOURCES)]
    fixed = np.random.default_rng(track)
    features = {name: None if source is None else round(float(fixed.random()), 3) for name in CONTINUOUS}
    features["tempo"] = None if source is None or track % 5 == 0 else 100.0 + track
    ms = (None, 0, 12_000, 29_999, 30_000, 180_000, 180_000, 240_000, 180_000, 61_234)[int(draw.integers(0, 10))]
    return play(
        number,
        start.replace(tzinfo=None).isoformat(sep=" "),
        user_id=listener,
        ms_played=ms,
        track_id=f"t{track}",
        recording_id=f"r{track}",
        track_name=(None, f"Song {track}", f"SONG {track}")[int(draw.integers(0, 3))],
        artist_key=None if artist is None else f"a{artist}",
        artist_name=None if artist is None else ("Band %d", "BAND %d")[int(draw.integers(0, 2))] % artist,
        album_key=None if artist is None else f"b{track % 13}",
        session_id=f"s-{listener}-{start:%Y-%m-%d}-{start.hour // 12}",
        is_skip=bool(draw.random() < 0.3) and ms is not None,
        tells_skip=ms is not None,
        genres=([], ["rock"], ["pop", "rock"], None, ["jazz"])[track % 5],
        feature_source=source,
        is_measured=source in MEASURED,
        mood_category=None if source is None else MOODS[track % 5],
        **features,
    )


def as_arrow(rows: list[dict[str, Any]]) -> pa.Table:
    """The rows as another engine can read them; instants become UTC without a zone."""
    plain = [{k: v.replace(tzinfo=None) if isinstance(v, dt.datetime) else v for k, v in row.items()} for row in rows]
    return pa.Table.from_pylist(plain)
