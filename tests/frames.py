"""Small DataFrames of declared tables for tests, and rows to compare."""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

from pyspark.sql import DataFrame, SparkSession

from lakehouse.declare import REGISTRY
from lakehouse.declare.table import enforce

UTC = dt.timezone.utc
# Written out, so that a feature that gets lost is missed.
NINE_FEATURES = {
    "danceability",
    "energy",
    "valence",
    "acousticness",
    "instrumentalness",
    "speechiness",
    "liveness",
    "loudness",
    "tempo",
}


# What no correction says, in rows that leave it out.
UNCORRECTED: dict[str, Any] = {"is_excluded": False, "further_artists": [], "further_artist_keys": []}


def frame(spark: SparkSession, table: str, rows: Sequence[Mapping[str, Any]]) -> DataFrame:
    """Rows of a declared table; columns a row leaves out are null, or as without corrections."""
    columns = REGISTRY[table].columns
    unknown = {k for row in rows for k in row} - {c.name for c in columns}
    assert not unknown, f"{table} has no column {sorted(unknown)}"
    if "play_number" in {c.name for c in columns}:
        rows = _numbered(rows)
    if table == "silver.catalogue":
        rows = [_of_usual(row) for row in rows]
    schema = ", ".join(f"`{c.name}` {c.type}" for c in columns)
    return spark.createDataFrame([tuple(row.get(c.name, UNCORRECTED.get(c.name)) for c in columns) for row in rows], schema)


def _of_usual(track: Mapping[str, Any]) -> Mapping[str, Any]:
    """A track of silver.catalogue as one of the usual catalogue, unless it says otherwise."""
    told = {"catalogue_source": "kaggle_tracks", "comparable_popularity": track.get("popularity")}
    return told | {"popularity_source": None if track.get("popularity") is None else "kaggle_tracks"} | track


def _numbered(plays: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Plays with each listener's play_number, as silver would count them; the given order is kept."""
    order = sorted(range(len(plays)), key=lambda i: (plays[i]["user_id"], plays[i]["played_at"], plays[i]["play_id"]))
    numbers: dict[str, int] = {}
    numbered = list(plays)
    for i in order:
        user = plays[i]["user_id"]
        numbers[user] = numbers.get(user, 0) + 1
        numbered[i] = {**plays[i], "play_number": numbers[user]}
    return numbered


def collect(table: str, result: DataFrame) -> list[dict[str, Any]]:
    """The result as the kernel would write it (declared columns and types), sorted by the table's key."""
    declared = REGISTRY[table]
    rows = [row.asDict() for row in enforce(declared, result).collect()]
    return sorted(rows, key=lambda row: tuple(str(row[k]) for k in declared.key))


def play(number: int, at: str, **changes: Any) -> dict[str, Any]:
    """A row of silver.listening_with_features: listener me, at `2024-01-01 10:00:00` (UTC = local), 180 s, measured, Neutral."""
    start = dt.datetime.fromisoformat(at).replace(tzinfo=UTC)
    ms = changes.get("ms_played", 180_000)
    hour, day = start.hour, start.isoweekday()
    part = "morning" if 6 <= hour <= 11 else "afternoon" if 12 <= hour <= 17 else "evening" if 18 <= hour <= 22 else "night"
    row: dict[str, Any] = {
        "user_id": "me",
        "play_id": f"p{number:03d}",
        "track_id": "t1",
        "track_name": "Track 1",
        "artist_name": "Artist 1",
        "artist_key": "a1",
        "album_name": "Album 1",
        "album_key": "b1",
        "played_at": start,
        "ended_at": start + dt.timedelta(milliseconds=ms or 0),
        "local_time": start,
        "date": start.date(),
        "hour_of_day": hour,
        "day_of_week": day,
        "day_name": start.strftime("%A"),
        "is_weekend": day >= 6,
        "part_of_day": part,
        "lacks_timezone": False,
        "ms_played": ms,
        "is_short": ms is not None and ms < 30_000,
        "is_listen": ms is None or ms >= 30_000,
        "is_skip": False,
        "tells_skip": True,
        "session_id": f"s{start.date()}",
        "genres": ["rock"],
        **dict.fromkeys(
            ("danceability", "energy", "valence", "acousticness", "instrumentalness", "speechiness", "liveness"), 0.5
        ),
        "loudness": -8.0,
        "tempo": 120.0,
        "time_signature": 4,
        "key": 0,
        "mode": 1,
        "feature_source": "kaggle_id",
        "is_measured": True,
        "mood_category": "Neutral",
        "source_kind": "export",
        "sources": ["export"],
    }
    row |= changes
    names = (row["artist_name"], row["track_name"])
    recording = digest(row["track_id"]) if None in names else recording_of(*names)
    return {"played_track_id": row["track_id"], "recording_id": recording} | row


def digest(text: str) -> str:
    """The hash that names things."""
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()


def key_of(artist: str) -> str:
    """The artist_key of a name without accents and punctuation."""
    return digest(artist.lower())[:16]


def recording_of(artist: str, title: str) -> str:
    """The recording_id of names without accents, punctuation and marks."""
    return digest(f"{artist.lower()}\x1f{title.lower()}")
