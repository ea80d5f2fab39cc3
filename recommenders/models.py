"""The models: each learns from known interactions and then scores every item for chosen users."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import numpy as np

from recommenders.als import AlsSettings
from recommenders.interactions import Interactions, Matrix
from recommenders.neighbours import cosine_similarity, ease_weights, normalised_ease_weights, random_walk_similarity

Scorer = Callable[[np.ndarray], np.ndarray]
"""Scores (users x items) of every item for the users of those row numbers; -inf is never recommended."""
Recommender = Callable[[Interactions], Scorer]
Factorise = Callable[[Matrix, AlsSettings], tuple[np.ndarray, np.ndarray]]
"""User and item factors of a matrix: MLlib's, or NumPy's of the same loss."""

TUNED = AlsSettings(rank=64, regularisation=0.5, alpha=0.5)
TUNED_BINARY = AlsSettings(rank=64, regularisation=1.0, alpha=10.0)
EASE_ITEMS = 20_000
"""EASE inverts a matrix of items x items: 20,000 take 3 GB and some minutes."""


def logarithmic(matrix: Matrix) -> Matrix:
    """log(1 + plays)."""
    result = matrix.copy()
    result.data = np.log1p(result.data)
    return result


def most_popular(data: Interactions) -> Scorer:
    """The items most users know."""
    return _for_everybody(np.asarray(data.seen.sum(axis=0), dtype=np.float64).ravel())


def recently_popular(data: Interactions) -> Scorer:
    """The items most users played lately; needs times."""
    if data.recent is None:
        raise ValueError("recently popular needs the times of plays")
    return _for_everybody(np.asarray((data.recent > 0).sum(axis=0), dtype=np.float64).ravel())


def personally_popular(data: Interactions) -> Scorer:
    """The items the user played most, then those most users know."""
    popularity = np.asarray(data.seen.sum(axis=0), dtype=np.float64).ravel()
    below_one = popularity / (popularity.max(initial=0.0) + 1.0)
    return lambda rows: np.asarray(data.matrix[rows].todense(), dtype=np.float64) + below_one


def personally_played(data: Interactions) -> Scorer:
    """The items the user played most, skipped and short plays too, then those most users know; needs all plays."""
    if data.played is None:
        raise ValueError("what was played, skips too, needs all plays")
    return personally_popular(replace(data, matrix=data.played))


def artist_loyalty(data: Interactions) -> Scorer:
    """How much the user plays an item's artist, times how many users know the item; needs the artists."""
    if data.artists is None:
        raise ValueError("loyalty to artists needs the artists of items")
    artists, known = data.artists, np.log1p(np.asarray(data.seen.sum(axis=0), dtype=np.float64).ravel())
    favourites = (data.heard @ artists).tocsr()
    return lambda rows: np.log1p(np.asarray((favourites[rows] @ artists.T).todense(), dtype=np.float64)) * known


def item_neighbours(data: Interactions) -> Scorer:
    """ItemKNN: cosine of who knows the items, 100 neighbours, shrinkage 5."""
    seen = data.seen
    return _linear(seen, cosine_similarity(seen))


def random_walk(data: Interactions) -> Scorer:
    """RP3beta with alpha 0.8, beta 0.4 and 100 neighbours."""
    seen = data.seen
    return _linear(seen, random_walk_similarity(seen))


def user_neighbours(data: Interactions) -> Scorer:
    """UserKNN: what the 100 most similar users know (cosine, shrinkage 5)."""
    seen = data.seen
    similarity = cosine_similarity(seen.T.tocsr()).T.tocsr()
    return lambda rows: np.asarray((similarity[rows] @ seen).todense(), dtype=np.float64)


def ease(data: Interactions) -> Scorer:
    """EASE with lambda 100 on who knows what."""
    seen = data.seen
    return _linear(seen, ease_weights(seen, 100.0))


def normalised_ease(data: Interactions) -> Scorer:
    """EASE on normalised log(1 + plays)."""
    plays = logarithmic(data.matrix)
    return _linear(plays, normalised_ease_weights(plays))


def als(factorise: Factorise, settings: AlsSettings, *, binary: bool = False, seeds: Sequence[int] = (0,)) -> Recommender:
    """ALS on log(1 + plays), or on who knows what; scores of several `seeds` are averaged."""

    def fit(data: Interactions) -> Scorer:
        ratings = data.seen if binary else logarithmic(data.matrix)
        factors = [factorise(ratings, replace(settings, seed=seed)) for seed in seeds]
        return lambda rows: np.mean([users[rows] @ items.T for users, items in factors], axis=0)

    return fit


def _for_everybody(scores: np.ndarray) -> Scorer:
    return lambda rows: np.repeat(scores[None, :], len(rows), axis=0)


def _linear(matrix: Matrix, weights: Matrix | np.ndarray) -> Scorer:
    def score(rows: np.ndarray) -> np.ndarray:
        product = matrix[rows] @ weights
        return np.asarray(product.todense() if hasattr(product, "todense") else product, dtype=np.float64)

    return score


def baselines(data: Interactions, *, seen_too: bool) -> Mapping[str, Recommender]:
    """What every comparison holds, by name; `seen_too`: items a user knows may be recommended."""
    models: dict[str, Recommender] = {"MostPop": most_popular}
    if data.recent is not None:
        models["RecentPop"] = recently_popular
    if seen_too:
        models["PersonalPop"] = personally_popular
        if data.played is not None:
            models["PersonalPop with skips"] = personally_played
    models |= {"ItemKNN": item_neighbours, "UserKNN": user_neighbours, "RP3beta": random_walk}
    if len(data.items) <= EASE_ITEMS:
        models |= {"EASE": ease, "EASE normalised": normalised_ease}
    return models
