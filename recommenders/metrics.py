"""How good a ranking is: figures per user, and their mean with an interval from users drawn again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from music.bootstrap import REPLICATES, percentiles, resampled, row_means
from music.ranking import rounded
from recommenders.interactions import Matrix

NOTHING = -1
USERS_AT_ONCE = 500


def ranked(scores: np.ndarray, length: int, excluded: Matrix | None = None) -> np.ndarray:
    """Users x length: numbers of the best items by score, of equal ones the lowest number; NOTHING where none is left.

    Scores of double precision are equal where nine digits are; single precision has no more than seven. An item with a score
    of -inf or NaN is never recommended, nor one in `excluded` (users x items).
    """
    length = min(length, scores.shape[1])
    if scores.dtype == np.float64:
        scores = rounded(scores)
    best = np.full((len(scores), length), NOTHING)
    for user, row in enumerate(scores):
        values = np.where(np.isnan(row), -np.inf, row)
        if excluded is not None:
            values[excluded.indices[excluded.indptr[user] : excluded.indptr[user + 1]]] = -np.inf
        # Everything as good as the last place, so that ties are broken by number and not by the partition.
        last = np.partition(values, -length)[-length] if length else np.inf
        chosen = np.flatnonzero((values >= last) & (values > -np.inf))
        in_order = chosen[np.argsort(-values[chosen], kind="stable")][:length]
        best[user, : len(in_order)] = in_order
    return best


def hits(ranking: np.ndarray, held_out: Matrix) -> np.ndarray:
    """Users x length: whether the item in each place is held out for the user."""
    found = np.zeros(ranking.shape, dtype=bool)
    for user in range(ranking.shape[0]):
        wanted = held_out.indices[held_out.indptr[user] : held_out.indptr[user + 1]]
        found[user] = np.isin(ranking[user], wanted)
    return found


def ndcg(found: np.ndarray, relevant: np.ndarray, k: int) -> np.ndarray:
    """Per user: discounted gain of the first k places over that of the best order (Järvelin & Kekäläinen, TOIS 2002)."""
    discount = 1.0 / np.log2(np.arange(2, k + 2))
    ideal = np.concatenate([[0.0], np.cumsum(discount)])[np.minimum(relevant, k)]
    return _share(found[:, :k] @ discount[: found[:, :k].shape[1]], ideal)


def recall(found: np.ndarray, relevant: np.ndarray, k: int) -> np.ndarray:
    """Per user: share of the held-out items among the first k."""
    return _share(found[:, :k].sum(axis=1), relevant)


def average_precision(found: np.ndarray, relevant: np.ndarray, k: int) -> np.ndarray:
    """Per user: precision at each hit of the first k places, summed, over min(k, held-out items)."""
    first = found[:, :k]
    precision = np.cumsum(first, axis=1) / np.arange(1, first.shape[1] + 1)
    return _share((precision * first).sum(axis=1), np.minimum(relevant, k))


def _share(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    return np.asarray(np.divide(part, whole, out=np.zeros(len(part)), where=np.asarray(whole) > 0))


def coverage(ranking: np.ndarray, items: int, k: int) -> float:
    """Share of the items that stand among somebody's first k."""
    shown = np.unique(ranking[:, :k])
    return float(np.count_nonzero(shown != NOTHING)) / max(items, 1)


def novelty(ranking: np.ndarray, seen: Matrix, k: int) -> np.ndarray:
    """Per user: mean self-information (bits) of the first k, -log2 of the share of users who know the item; 0 without any.

    An item nobody knows counts as if one of them did. Vargas & Castells, RecSys 2011.
    """
    known = np.maximum(np.asarray((seen > 0).sum(axis=0)).ravel(), 1)
    bits = -np.log2(known / max(seen.shape[0], 1))
    first = ranking[:, :k]
    return _share(np.where(first == NOTHING, 0.0, bits[first]).sum(axis=1), (first != NOTHING).sum(axis=1))


def diversity(ranking: np.ndarray, seen: Matrix, k: int) -> np.ndarray:
    """Per user: mean of 1 - cosine over the pairs of the first k, by who knows them; 0 with fewer than two items."""
    by_item = (seen > 0).astype(np.float64).T.tocsr()
    norms = np.sqrt(np.asarray(by_item.sum(axis=1)).ravel())
    values = np.zeros(len(ranking))
    # Some users at a time: their pairs are rows of two matrices.
    for start in range(0, len(ranking), USERS_AT_ONCE):
        first = ranking[start : start + USERS_AT_ONCE, :k]
        left, right = np.triu_indices(first.shape[1], 1)
        is_pair = (first[:, left] != NOTHING) & (first[:, right] != NOTHING)
        one, other = first[:, left][is_pair], first[:, right][is_pair]
        common = np.asarray(by_item[one].multiply(by_item[other]).sum(axis=1)).ravel()
        distance = np.zeros(is_pair.shape)
        distance[is_pair] = 1.0 - common / np.maximum(norms[one] * norms[other], 1e-12)
        values[start : start + USERS_AT_ONCE] = _share(distance.sum(axis=1), is_pair.sum(axis=1))
    return values


@dataclass(frozen=True)
class Figure:
    """A mean over users with its 95% interval."""

    value: float
    low: float
    high: float
    n: int


def interval(per_user: np.ndarray, draws: int = REPLICATES, seed: int = 0) -> Figure:
    """The mean with its percentile bootstrap interval over users (Efron & Tibshirani 1993, ch. 13)."""
    n = len(per_user)
    if n == 0:
        return Figure(0.0, 0.0, 0.0, 0)
    low, high = percentiles(resampled(per_user, row_means, draws, seed))
    return Figure(float(per_user.mean()), float(low), float(high), n)


def interval_of_shares(per_user: np.ndarray) -> Figure:
    """Like `interval`, of values of 0 to 1; where all are 0 or all are 1, no draw has a spread: there by Clopper & Pearson.

    Biometrika 26 (1934). That holds for shares as for hits, as a mean is at most the share of those that are above 0.
    """
    drawn, far = interval(per_user), float(0.025 ** (1 / max(len(per_user), 1)))
    if not len(per_user):
        return drawn
    if (per_user == 0).all():
        return Figure(0.0, 0.0, 1 - far, drawn.n)
    return Figure(1.0, far, 1.0, drawn.n) if (per_user == 1).all() else drawn


def per_user(ranking: np.ndarray, held_out: Matrix, seen: Matrix) -> Mapping[str, np.ndarray]:
    """Every figure per user with something held out; who has no prediction counts as zero."""
    relevant = np.diff(held_out.indptr)
    tested = relevant > 0
    found, relevant, shown = hits(ranking, held_out)[tested], relevant[tested], ranking[tested]
    return {
        "ndcg@10": ndcg(found, relevant, 10),
        "recall@20": recall(found, relevant, 20),
        "map@10": average_precision(found, relevant, 10),
        "map@500": average_precision(found, relevant, 500),
        "novelty@10": novelty(shown, seen, 10),
        "diversity@10": diversity(shown, seen, 10),
    }
