"""Which tracks go together, by common listeners and by common sessions; needs no Java."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from lakehouse.declare import Fitted, Retrain, model
from models.common.metric import Metric, rows_of
from models.recommendations.listening_pairs import LEAST_LISTENERS, Listens, listens_of, most_played, of_known_tracks
from models.recommendations.recommender_scores import compared
from music.populations import POPULATIONS, listeners_in
from recommenders.interactions import Matrix, from_pairs
from recommenders.neighbours import cosine_similarity

NEIGHBOURS = 20
SHRINK = 5.0
MOST_SESSIONS = 20_000
TRACKS_A_SESSION = 30
COMMON_SESSIONS = 2
"""Two tracks that have only one session in common have it by chance."""
SCHEMA = pa.schema(
    [
        ("population", pa.string()),
        ("kind", pa.string()),
        ("track_id", pa.string()),
        ("neighbour_id", pa.string()),
        ("score", pa.float64()),
        ("together", pa.int64()),
    ]
)


@model("item_neighbours", kind="neighbours", retrain=Retrain(share=0.1, days=90))
def item_neighbours(listening_with_features: DataFrame, users: DataFrame) -> Fitted:
    """The 20 nearest tracks of each track, by cosine (shrunk by 5) of their listeners and of the sessions they occur in.

    Real and synthetic listeners are separate. Neighbours by listeners need at least 20 of them and use each one's 200 most
    played tracks; skipped and short plays are excluded. The model is scored on the listens after the first 80%, with blend
    weights chosen between 64% and 80%; then it is trained on everything.
    """
    frames, scores, weights, splits = [], list[Metric](), {}, {}
    for population in POPULATIONS:
        listens = listens_of(listening_with_features, users, population)
        if listens.pairs.empty:
            continue
        population_scores, weights[population] = compared(listens, population)
        scores += population_scores
        splits[population] = {
            "validation_from": listens.bounds[0],
            "test_from": listens.bounds[1],
            "listeners": listens.listeners,
        }
        frames.append(by_listeners(listens, population))
        frames.append(by_sessions(sessions_of(listening_with_features, users, population), population))
    neighbours = pa.concat_tables(frames) if frames else SCHEMA.empty_table()
    return Fitted(
        parameters={"neighbours": NEIGHBOURS, "shrink": SHRINK, "weights": weights},
        splits=splits,
        metrics=rows_of(scores),
        frames={"neighbours": neighbours},
    )


def by_listeners(listens: Listens, population: str) -> pa.Table:
    """Neighbours by the listeners who have both tracks among their most played; `together`: how many listeners do."""
    if listens.listeners < LEAST_LISTENERS:
        return SCHEMA.empty_table()
    data = most_played(from_pairs(of_known_tracks(listens.pairs)))
    return as_table(data.seen, data.items, population, "listeners", 2)


def by_sessions(heard: pd.DataFrame, population: str) -> pa.Table:
    """Neighbours by the sessions that contain both tracks; `together`: how many sessions do."""
    if heard.empty:
        return SCHEMA.empty_table()
    data = from_pairs(heard)
    return as_table(data.seen, data.items, population, "sessions", COMMON_SESSIONS)


def sessions_of(listening_with_features: DataFrame, users: DataFrame, population: str) -> pd.DataFrame:
    """Rows (user: the session, item, plays) of up to MOST_SESSIONS sessions chosen by hash, without skips.

    A long session contributes only its first TRACKS_A_SESSION tracks.
    """
    of_population = listeners_in(users, population).select("user_id")
    plays = listening_with_features.where("is_listen AND NOT is_skip").join(
        F.broadcast(of_population), on="user_id", how="left_semi"
    )
    tracks = plays.groupBy("session_id", "track_id").agg(F.min("play_number").alias("place"))
    sessions = tracks.groupBy("session_id").agg(F.count(F.lit(1)).alias("tracks"), F.min("place").alias("first"))
    chosen = sessions.where("tracks > 1").orderBy(F.md5("session_id"), "session_id").limit(MOST_SESSIONS)
    kept = tracks.join(F.broadcast(chosen), on="session_id", how="inner").toPandas()
    kept = kept.sort_values(["session_id", "place", "track_id"])
    kept = kept[kept.groupby("session_id").cumcount() < TRACKS_A_SESSION]
    rows: pd.DataFrame = kept.rename(columns={"session_id": "user", "track_id": "item"}).assign(plays=1.0)
    return rows


def as_table(seen: Matrix, items: np.ndarray, population: str, kind: str, least: int) -> pa.Table:
    """One row per track and neighbour that at least `least` rows of `seen` have in common."""
    near: Any = cosine_similarity(seen, NEIGHBOURS, SHRINK).tocoo()
    columns = seen.tocsc()
    # Common rows of the kept pairs only: cosine * product of norms would carry rounding into a count.
    common = np.zeros(near.nnz, dtype=np.int64)
    for start in range(0, near.nnz, 100_000):
        part = slice(start, start + 100_000)
        common[part] = np.asarray(columns[:, near.row[part]].multiply(columns[:, near.col[part]]).sum(axis=0)).ravel().round()
    kept = np.flatnonzero(common >= least)
    order = kept[np.lexsort((near.row[kept], -near.data[kept], near.col[kept]))]
    return pa.table(
        {
            "population": pa.array([population] * len(order), pa.string()),
            "kind": pa.array([kind] * len(order), pa.string()),
            "track_id": pa.array(items[near.col[order]].astype(object), pa.string()),
            "neighbour_id": pa.array(items[near.row[order]].astype(object), pa.string()),
            "score": pa.array(near.data[order], pa.float64()),
            "together": pa.array(common[order], pa.int64()),
        },
        schema=SCHEMA,
    )
