"""Histories of one listener with a known structure, as rows of silver.listening_with_features."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from tests.frames import play

START = dt.datetime(2023, 1, 2)  # a Monday


def history(
    days: int, listens: int, valence: Callable[[dt.datetime, np.random.Generator], float], **changes: Any
) -> list[dict[str, Any]]:
    """`listens` plays of 3 minutes from 8 o'clock on each day, one session a day, a track for each tenth of valence."""
    rng = np.random.default_rng(7)
    rows = []
    for day in range(days):
        for nth in range(listens):
            at = START + dt.timedelta(days=day, hours=8, minutes=4 * nth)
            value = float(min(1.0, max(0.0, valence(at, rng))))
            rows.append(play(len(rows), at.isoformat(sep=" "), valence=value, **changes) | {"play_id": f"p{len(rows):05d}"})
    return rows


def session(day: int, valences: Sequence[float], tracks: Sequence[str] | None = None, **changes: Any) -> list[dict[str, Any]]:
    """One session on day `day`, listen by listen."""
    rows = []
    for nth, value in enumerate(valences):
        at = START + dt.timedelta(days=day, hours=8, minutes=4 * nth)
        track = {"track_id": tracks[nth], "track_name": f"Track {tracks[nth]}"} if tracks else {}
        row = play(0, at.isoformat(sep=" "), valence=value, **(track | changes))
        rows.append(row | {"play_id": f"p{day:04d}-{nth:03d}", "session_id": f"s{day:04d}"})
    return rows


def rounded(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The rows with doubles to 9 digits, as a sum depends on the order it was taken in."""
    return [{k: float(f"{v:.9g}") if isinstance(v, float) else v for k, v in row.items()} for row in rows]
