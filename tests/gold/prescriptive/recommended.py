"""A small world to recommend in: a catalogue, what four listeners played, and models whose content is written out."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import pyarrow as pa
from pyspark.sql import DataFrame, SparkSession

from gold.prescriptive.recommendations.user_recommendations import user_recommendations
from lakehouse.declare import Fitted, Model
from lakehouse.plan import graph
from lakehouse.storage.artifacts import store
from models.recommendations.collaborative import LISTS
from models.recommendations.item_neighbours import SCHEMA
from models.recommendations.recommendation_weights import EQUAL
from silver.heard_recordings import heard_recordings
from tests.frames import collect, frame, key_of, play
from tests.silver.rows import recordings_of

graph.load()

GENRES = ("rock", "jazz", "folk", "techno")
ARTISTS = 40
TRACKS_EACH = 5
START = dt.datetime(2024, 1, 1, 10)


def track(number: int) -> dict[str, Any]:
    artist = number % ARTISTS
    return {
        "track_id": f"t{number:03d}",
        "track_name": f"Song {number}",
        "artists": [f"Artist {artist}"],
        "genres": [GENRES[artist % 4]],
        "popularity": number * 37 % 101,
        "explicit": number % 10 == 3,
    }


CATALOGUE = [track(number) for number in range(ARTISTS * TRACKS_EACH)]
# The same recording under another id, more popular, in other letters.
CATALOGUE.append(track(7) | {"track_id": "t007b", "track_name": "SONG 7 - Remastered 2011", "popularity": 100})
SIMILAR = [
    {"track_id": f"t{n:03d}", "rank": rank, "similar_track_id": f"t{(n + step) % 200:03d}", "score": 1 - rank / 50}
    | {"is_same_artist": False, "shared_genres": 1, "reason": "similar sound", "model_id": "neighbours"}
    for n in range(200)
    for rank, step in enumerate((4, 8, 40, 44, 84), start=1)
]


def heard(user: str, number: int, day: int, **changes: Any) -> dict[str, Any]:
    """A play of a catalogue track that many days after the start."""
    found = track(number)
    at = START + dt.timedelta(days=day, minutes=number)
    told: dict[str, Any] = {"user_id": user, "track_id": found["track_id"], "track_name": found["track_name"]}
    told |= {"artist_name": found["artists"][0], "artist_key": key_of(found["artists"][0]), "genres": found["genres"]}
    return play(0, at.isoformat(sep=" "), **(told | {"session_id": f"s-{user}-{day}"} | changes))


def numbered(plays: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [row | {"play_id": f"p{number:05d}"} for number, row in enumerate(plays)]


def plays() -> list[dict[str, Any]]:
    """me: rock of some artists, loved early (days 0-29) and lately (days 200-229); ten: ten plays; a synthetic listener."""
    mine = [heard("me", number, day) for number in (0, 4, 8, 12, 16, 40, 44, 7) for day in range(0, 30, 5)]
    mine += [heard("me", number, day) for number in (20, 24, 28, 60, 64, 1, 5) for day in range(200, 230, 7)]
    mine += [heard("me", 32, day, is_skip=True, ms_played=5_000, is_listen=False, is_short=True) for day in range(3)]
    # Listened to for 30 s and then skipped, always: counts as listens of the artist and genre all the same.
    mine += [heard("me", number, day, is_skip=True) for number in (48, 60 + ARTISTS) for day in range(2)]
    few = [heard("ten", number, 10) for number in (1, 5, 9, 13, 17, 1, 5, 9, 1, 1)]
    made_up = [heard("synthetic:1", number, day, source_kind="synthetic") for number in (2, 6, 10) for day in range(5)]
    return numbered([*mine, *few, *made_up])


def neighbour(population: str, track_id: str, neighbour_id: str, score: float, together: int) -> dict[str, Any]:
    told = {"population": population, "kind": "listeners", "track_id": track_id, "neighbour_id": neighbour_id}
    return told | {"score": score, "together": together}


NEIGHBOURS = [
    neighbour("real", "t020", "t150", 0.9, 17),
    neighbour("real", "t024", "t151", 0.8, 9),
    neighbour("synthetic", "t002", "t190", 0.9, 400),
    neighbour("synthetic", "t020", "t191", 0.9, 401),
]
FACTORS = [
    {"population": "real", "window": 3, "user_id": "me", "track_id": "t161", "score": 0.7, "listeners": 12, "of_listeners": 34},
    {"population": "synthetic", "window": 3, "user_id": "synthetic:1", "track_id": "t162", "score": 0.7}
    | {"listeners": 120, "of_listeners": 340},
    # What a synthetic population's model says of a real listener must never be shown.
    {"population": "synthetic", "window": 3, "user_id": "me", "track_id": "t163", "score": 9.0}
    | {"listeners": 120, "of_listeners": 340},
]


def neighbours_of(artist: str, neighbour: str, score: float) -> dict[str, Any]:
    return {"artist_key": key_of(artist), "neighbour_key": key_of(neighbour), "score": score, "sources": 1}


def models_in(folder: Path, spark: SparkSession) -> dict[str, Model]:
    fitted = {
        "recommendation_weights": Fitted({"weights": {"real": EQUAL, "synthetic": EQUAL}}),
        "item_neighbours": Fitted({}, frames={"neighbours": pa.Table.from_pylist(NEIGHBOURS, SCHEMA)}),
        "collaborative": Fitted({}, frames={"candidates": pa.Table.from_pylist(FACTORS, LISTS)}),
    }
    for name, content in fitted.items():
        store(content, folder / name)
    return {name: Model(f"{name}-1", name, folder / name, spark) for name in fitted}


def recommend(
    spark: SparkSession,
    models: dict[str, Model],
    rows: list[dict[str, Any]] | None = None,
    dislikes: tuple[tuple[str, str], ...] = (),
    *,
    exclude_explicit: bool = False,
    near: tuple[tuple[str, str, float], ...] | None = None,
    java: bool = True,
    listeners: tuple[str, ...] = ("me", "ten", "none", "synthetic:1"),
) -> list[dict[str, Any]]:
    """The rows of gold.user_recommendations."""
    listed = recordings_of(spark, frame(spark, "silver.catalogue", CATALOGUE))
    settings = frame(spark, "bronze.listener_settings", [{"user_id": name, "timezone": "UTC"} for name in listeners])
    listening = frame(spark, "silver.listening_with_features", plays() if rows is None else rows)
    known: DataFrame = heard_recordings(listening, settings, listed)
    unwanted = [{"user_id": u, "track_id": t, "reason": "track", "told": t, "entries": 1} for u, t in dislikes]
    result = user_recommendations(
        known,
        listed,
        settings,
        frame(spark, "silver.dislikes", unwanted),
        frame(spark, "gold.similar_tracks", SIMILAR),
        frame(spark, "silver.artist_neighbours", [neighbours_of(*pair) for pair in near or ()]),
        models["recommendation_weights"],
        models["item_neighbours"],
        models["collaborative"] if java else None,
        exclude_explicit=exclude_explicit,
        recommend_similar_artists=near is not None,
    )
    return collect("gold.user_recommendations", result)
