"""Several models together: each user's scores standardised, then summed with weights that were chosen on held-out plays."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import reduce

import numpy as np

from music.ranking import DIGITS
from recommenders.interactions import Matrix
from recommenders.metrics import NOTHING, hits, ndcg, ranked

STEPS = (0.1, 0.2, 0.4)
ROUNDS = 8
POOL = 400
LEAST_GAIN = 2e-3
"""A weight changes only for so much more NDCG@10 on the validation part: less is noise."""


def standardised(scores: np.ndarray) -> np.ndarray:
    """Scores less the user's mean, over the user's standard deviation; zeros where all are equal. -inf stays."""
    known = np.where(np.isneginf(scores), np.nan, scores)
    empty = np.isnan(known).all(axis=1)
    known[empty] = 0.0
    mean, spread = np.nanmean(known, axis=1, keepdims=True), np.nanstd(known, axis=1, keepdims=True)
    centred = np.divide(known - mean, spread, out=np.zeros_like(known), where=spread > 1e-12 * (1.0 + np.abs(mean)))
    return np.asarray(np.where(np.isneginf(scores), -np.inf, centred))


def blended(parts: Mapping[str, np.ndarray], weights: Mapping[str, float]) -> np.ndarray:
    """Sum of weight x standardised scores; only the proportions of the weights matter to the order."""
    return np.asarray(sum(weight * standardised(parts[name]) for name, weight in weights.items() if weight > 0))


def choose_weights(
    parts: Mapping[str, np.ndarray],
    start: Mapping[str, float],
    held_out: Matrix,
    excluded: Matrix | None,
    steps: Sequence[float] = STEPS,
) -> dict[str, float]:
    """From the weights `start`, or one model alone where that is better, the best change of one weight until none helps NDCG@10.

    Of equal gains the part named first alphabetically. `parts`: scores of users x items learned without `held_out`. Only the
    POOL items that some part puts highest are ranked: no others come near the first ten.
    """
    names = sorted(parts)
    scaled = {name: standardised(parts[name]) for name in names}
    pool = ranked(reduce(np.maximum, scaled.values()), POOL, excluded)
    pool = np.sort(np.where(pool == NOTHING, held_out.shape[1], pool), axis=1)
    is_there = pool < held_out.shape[1]
    inside = np.where(is_there, pool, 0)
    wanted = is_there & hits(inside, held_out)
    scaled = {name: np.where(is_there, np.take_along_axis(scaled[name], inside, axis=1), -np.inf) for name in names}
    relevant = np.diff(held_out.indptr)

    def quality(total: np.ndarray) -> float:
        first = np.argsort(-total, axis=1, kind="stable")[:, :10]
        found = np.take_along_axis(wanted, first, axis=1)
        return round(float(ndcg(found, relevant, 10)[relevant > 0].mean()), DIGITS) if (relevant > 0).any() else 0.0

    starts = [{name: float(start.get(name, 0.0)) for name in names}, *[{n: float(n == name) for n in names} for name in names]]
    qualities = [quality(_sum(scaled, weights)) for weights in starts]
    # Where one model alone is clearly better than the start (other data than it was found on), the search begins there.
    chosen = int(np.argmax(qualities)) if max(qualities) > qualities[0] + LEAST_GAIN else 0
    weights, best = starts[chosen], qualities[chosen]
    for _ in range(ROUNDS):
        changes = [(name, step) for name in names for size in steps for step in (size, -size) if weights[name] + step >= 0]
        gains = [quality(_sum(scaled, weights | {name: weights[name] + step})) for name, step in changes]
        chosen = int(np.argmax(gains))
        if gains[chosen] < best + LEAST_GAIN:
            break
        best, (name, step) = gains[chosen], changes[chosen]
        weights[name] = max(0.0, weights[name] + step)
    return {name: round(weight, 6) for name, weight in weights.items() if weight > 1e-9}


def _sum(parts: Mapping[str, np.ndarray], weights: Mapping[str, float]) -> np.ndarray:
    return np.asarray(sum(weight * parts[name] for name, weight in weights.items() if weight > 0))
