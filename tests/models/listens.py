"""Plays with planted moods, for the models that learn from listening."""

from __future__ import annotations

import datetime as dt
from typing import Any

import numpy as np
from pyspark.sql import DataFrame, SparkSession

from tests.frames import UTC, frame, play

LISTENING, USERS = "silver.listening_with_features", "silver.users"


def moody_plays(
    sessions: int, user: str = "me", seed: int = 1, *, moody: bool = True, mondays: float = 0.0
) -> list[dict[str, Any]]:
    """Ten listens a session, a session a day: a session has a mood of its own (`moody`), lower by `mondays` on Mondays."""
    draw = np.random.default_rng(seed)
    rows = []
    for number in range(sessions):
        start = dt.datetime(2022, 1, 3, 18, tzinfo=UTC) + dt.timedelta(days=number)
        mood = draw.uniform(0.2, 0.8) if moody else 0.5
        mood -= mondays if start.isoweekday() == 1 else 0.0
        for listen in range(10):
            track = int(draw.integers(0, 500))
            valence = float(np.clip(mood + draw.normal(0, 0.08), 0, 1))
            at = (start + dt.timedelta(minutes=4 * listen)).replace(tzinfo=None).isoformat(sep=" ")
            told = {
                "valence": valence,
                "energy": float(draw.uniform(0, 1)),
                "track_id": f"t{track}",
                "artist_key": f"a{track % 40}",
            }
            rows.append(
                play(
                    number * 10 + listen,
                    at,
                    user_id=user,
                    session_id=f"{user}-{number}",
                    play_id=f"{user}-{number:04d}-{listen}",
                    **told,
                )
            )
    return rows


def listening(spark: SparkSession, rows: list[dict[str, Any]]) -> DataFrame:
    return frame(spark, LISTENING, rows)


def users(spark: SparkSession, rows: list[dict[str, Any]], timezone: str = "UTC") -> DataFrame:
    """silver.users of the plays; ids that begin with synthetic: are synthetic."""
    found = {}
    for user in {row["user_id"] for row in rows}:
        own = [row["played_at"] for row in rows if row["user_id"] == user]
        found[user] = {
            "user_id": user,
            "timezone": timezone,
            "is_synthetic": user.startswith("synthetic:"),
            "first_played_at": min(own),
            "last_played_at": max(own),
        }
    return frame(spark, USERS, list(found.values()))
