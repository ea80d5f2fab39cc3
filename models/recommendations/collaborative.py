"""What listeners with similar taste play: matrix factorisation with MLlib, for populations with enough listeners."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pyarrow as pa
from pyspark.sql import DataFrame

from lakehouse.declare import Fitted, Retrain, model
from models.common.metric import Metric, rows_of
from models.recommendations.listening_pairs import LEAST_LISTENERS, Listens, has_enough, listens_of, of_known_tracks
from models.recommendations.recommender_scores import compared
from music.populations import POPULATIONS
from recommenders import metrics
from recommenders.interactions import Interactions, from_pairs
from recommenders.mllib import factoriser
from recommenders.models import TUNED, Factorise, als, logarithmic
from recommenders.protocol import remembered

SETTINGS = replace(TUNED, rank=32, iterations=8)
CANDIDATES = 200
LISTENERS_AT_ONCE = 500
FACTORS = pa.schema([("population", pa.string()), ("id", pa.string()), ("vector", pa.list_(pa.float64()))])
LISTS = pa.schema(
    [
        ("population", pa.string()),
        ("window", pa.int64()),
        ("user_id", pa.string()),
        ("track_id", pa.string()),
        ("score", pa.float64()),
        ("listeners", pa.int64()),
        ("of_listeners", pa.int64()),
    ]
)


@model("collaborative", kind="factorisation", needs="spark", retrain=Retrain(share=0.1, days=90))
def collaborative(listening_with_features: DataFrame, users: DataFrame) -> Fitted:
    """ALS on log(1 + listens) with rank 32, regularisation 0.5 and alpha 0.5, per population with at least 20 listeners.

    The settings did best on HetRec-2011; the rank is halved to save time. The model is scored on the listens after the
    first 80%, next to every baseline and in a blend whose weights are chosen between 64% and 80%; then it is trained on
    everything. It stores both factor matrices and, per listener, the 200 best tracks they had not listened to, from all
    listens and from those before each window.
    """
    factorise = remembered(factoriser(listening_with_features.sparkSession))
    scores: list[Metric] = []
    weights: dict[str, Mapping[str, Mapping[str, float]]] = {}
    frames: dict[str, list[pa.Table]] = {"user_factors": [], "item_factors": [], "candidates": [], "earlier": []}
    for population in POPULATIONS:
        if not has_enough(users, population):
            continue
        listens = listens_of(listening_with_features, users, population)
        if listens.listeners < LEAST_LISTENERS:
            continue
        compared_scores, weights[population] = compared(listens, population, {"ALS": als(factorise, SETTINGS)})
        scores += [score for score in compared_scores if score.metric.endswith((": ALS", ": Blend"))]
        frames["earlier"].append(known_candidates(listens, population, factorise))
        for name, table in factors_of(listens, population, factorise).items():
            frames[name].append(table)
    empty = {"user_factors": FACTORS, "item_factors": FACTORS, "candidates": LISTS, "earlier": LISTS}
    settings = {"rank": SETTINGS.rank, "regularisation": SETTINGS.regularisation, "alpha": SETTINGS.alpha}
    return Fitted(
        parameters={**settings, "iterations": SETTINGS.iterations, "weights": weights},
        metrics=rows_of(replace(score, metric=score.metric.replace("Blend", "Blend with ALS")) for score in scores),
        frames={name: pa.concat_tables(tables) if tables else empty[name].empty_table() for name, tables in frames.items()},
    )


def known_candidates(listens: Listens, population: str, factorise: Factorise) -> pa.Table:
    """Candidates from what was known before the validation window (1) and the test window (2), to choose weights by."""
    parts = []
    for window in (1, 2):
        data = listens.known(window)
        users, items = factorise(logarithmic(data.matrix), SETTINGS)
        parts.append(best_new(data, users, items, population, window))
    return pa.concat_tables(parts)


def factors_of(listens: Listens, population: str, factorise: Factorise) -> dict[str, pa.Table]:
    """Factors from all listens, and each listener's best tracks that are new to them."""
    data = from_pairs(of_known_tracks(listens.pairs))
    users, items = factorise(logarithmic(data.matrix), SETTINGS)
    return {
        "user_factors": _vectors(population, data.users, users),
        "item_factors": _vectors(population, data.items, items),
        "candidates": best_new(data, users, items, population, 3),
    }


def best_new(data: Interactions, users: np.ndarray, items: np.ndarray, population: str, window: int) -> pa.Table:
    """One row per listener and candidate: the score, and how many of the listeners know the track."""
    known = np.asarray(data.seen.sum(axis=0)).ravel().astype(np.int64)
    parts = []
    for first in range(0, len(users), LISTENERS_AT_ONCE):
        rows = slice(first, first + LISTENERS_AT_ONCE)
        scores = users[rows] @ items.T
        ranking = metrics.ranked(scores, CANDIDATES, data.matrix[rows])
        user, place = np.nonzero(ranking != metrics.NOTHING)
        item = ranking[user, place]
        columns = {
            "population": [population] * len(user),
            "window": [window] * len(user),
            "user_id": data.users[rows][user].astype(object),
            "track_id": data.items[item].astype(object),
            "score": scores[user, item],
            "listeners": known[item],
            "of_listeners": [len(data.users)] * len(user),
        }
        parts.append(pa.table({name: pa.array(values) for name, values in columns.items()}).cast(LISTS))
    return pa.concat_tables(parts)


def _vectors(population: str, ids: np.ndarray, vectors: np.ndarray) -> pa.Table:
    columns = {"population": pa.array([population] * len(ids)), "id": pa.array(ids.astype(object), pa.string())}
    return pa.table({**columns, "vector": pa.array(list(vectors), pa.list_(pa.float64()))})
