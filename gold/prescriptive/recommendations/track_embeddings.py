"""How does each track relate to all others: by sound, by genre and artist, by the sessions it occurs in, and overall?"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from features import track_content
from features.unit_vectors import arrays, blended, is_there, matrix
from gold.prescriptive.recommendations.vector_rules import vector_rules
from lakehouse.declare import Model, column, table
from models.tracks.track_kinds import DIMENSIONS, KINDS, SESSIONS, SUFFIXES
from music.audio_features import CONTINUOUS, STAND_IN

READ = ("track_id", "recording_id", "artist_key", "genres", *CONTINUOUS, "feature_source")


@table(
    "gold.track_embeddings",
    key=["track_id", "kind"],
    scope="entity",
    schema=[
        column("track_id", "string", "track in the catalogue or in a play"),
        column("recording_id", "string", "recording of the track", nullable=False),
        column(
            "kind",
            "string",
            "audio, genre_artist, sessions or blended; the suffix _synthetic marks vectors from sessions of synthetic listeners",
            one_of=KINDS,
        ),
        column("vector", "array<double>", "vector of unit length; comparable within a kind and model", nullable=False),
        column(
            "parts",
            "string",
            "components of the vector, joined by +; a blend omits components that the track lacks",
            nullable=False,
        ),
        column("feature_source", "string", "rung of the feature ladder; artist_mean is an estimate"),
        column("model_id", "string", "model that computed the vector", nullable=False),
    ],
    rules=vector_rules(DIMENSIONS),
)
def track_embeddings(tracks: DataFrame, track_vectors: Model, track_blend: Model, session_vectors: Model | None) -> DataFrame:
    """One row per track and kind of vector that it has. A track with synthetic features has at most a sessions vector.

    audio: principal components of the standardised features. genre_artist: genre factors and a signature of the artist.
    sessions: Word2Vec over sessions of real listeners, for tracks heard often enough; sessions_synthetic: the same for
    synthetic listeners; neither exists without Java. blended: the three combined with the weights that predicted next
    listens best. Vectors are computed from what the models stored, so new tracks need no training.
    """
    profiles = track_vectors.frame("artists").select("artist_key", F.col("vector").alias("profile"))
    rows = tracks.select(*READ).join(profiles, on="artist_key", how="left")
    weights = track_blend.parameters["weights"]
    for population in weights:
        rows = _with_sessions(rows, session_vectors, population)
    ids = {"content": track_vectors.id, "sessions": session_vectors.id if session_vectors else "", "blended": track_blend.id}
    score = scorer(track_vectors.parameters, track_vectors.arrow("genres"), weights, ids)
    texts = ", ".join(f"{name} string" for name in ("parts", "feature_source", "model_id"))
    return rows.mapInArrow(score, f"track_id string, recording_id string, kind string, vector array<double>, {texts}")


def _with_sessions(rows: DataFrame, session_vectors: Model | None, population: str) -> DataFrame:
    name = f"sessions{SUFFIXES[population]}"
    if session_vectors is None:
        return rows.withColumn(name, F.lit(None).cast("array<double>"))
    published = session_vectors.frame("vectors").where((F.col("population") == population) & (F.col("window") == "all"))
    return rows.join(published.select("track_id", F.col("vector").alias(name)), on="track_id", how="left")


def scorer(
    parameters: Mapping[str, Any], genres: pa.Table, weights: Mapping[str, Mapping[str, float]], ids: Mapping[str, str]
) -> Callable[[Iterator[pa.RecordBatch]], Iterator[pa.RecordBatch]]:
    """A function from batches of tracks (READ, profile, the sessions' vectors) to batches of this table's rows."""

    def score(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            content = track_content.vectors(batch, parameters, genres, matrix(batch["profile"], track_content.GENRE))
            # Made-up features say nothing of a track; what its listeners played with it does.
            source = batch["feature_source"]
            is_known = pc.fill_null(pc.not_equal(source, STAND_IN), False).to_numpy(zero_copy_only=False)[:, None]
            audio = np.where(is_known, content["audio"], 0.0)
            genre_artist = np.where(is_known, track_content.genre_artist(content, parameters["weights"]), 0.0)
            yield _rows(batch, "audio", audio, "audio", ids["content"])
            yield _rows(batch, "genre_artist", genre_artist, "genre_artist", ids["content"])
            for population, shares in weights.items():
                name = f"sessions{SUFFIXES[population]}"
                sessions = matrix(batch[name], SESSIONS)
                yield _rows(batch, name, sessions, name, ids["sessions"])
                parts = {"audio": audio, "genre_artist": genre_artist, name: np.where(is_known, sessions, 0.0)}
                whole = blended([(rows, share) for rows, share in zip(parts.values(), shares.values(), strict=True)])
                yield _rows(batch, f"blended{SUFFIXES[population]}", whole, _names(parts), ids["blended"])

    return score


def _names(parts: Mapping[str, np.ndarray]) -> np.ndarray:
    """Per row, the names of the parts that are present, joined by +."""
    present = np.zeros(len(next(iter(parts.values()))), dtype=int)
    for bit, rows in enumerate(parts.values()):
        present |= is_there(rows).astype(int) << bit
    joined_names = ["+".join(name for bit, name in enumerate(parts) if number >> bit & 1) for number in range(1 << len(parts))]
    return np.array(joined_names, dtype=object)[present]


def _rows(batch: pa.RecordBatch, kind: str, vectors: np.ndarray, parts: str | np.ndarray, model_id: str) -> pa.RecordBatch:
    """The rows of one kind, without tracks that have no such vector."""
    is_made = is_there(vectors)
    part_names = np.full(len(is_made), parts, dtype=object) if isinstance(parts, str) else parts
    columns = {
        **{name: batch[name].filter(pa.array(is_made)) for name in ("track_id", "recording_id")},
        "kind": pa.array([kind] * int(is_made.sum()), pa.string()),
        "vector": arrays(vectors[is_made]),
        "parts": pa.array(part_names[is_made], pa.string()),
        "feature_source": batch["feature_source"].filter(pa.array(is_made)),
        "model_id": pa.array([model_id] * int(is_made.sum()), pa.string()),
    }
    return pa.RecordBatch.from_pydict(columns)
