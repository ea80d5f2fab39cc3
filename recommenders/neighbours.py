"""Item-item models: cosine neighbours, random walks and EASE; a user's score of an item is what their items say of it."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import numpy as np
import scipy

from recommenders.interactions import Matrix

ENTRIES_AT_ONCE = 20_000_000


def cosine_similarity(matrix: Matrix, neighbours: int = 100, shrink: float = 5.0) -> Matrix:
    """Items x items: cosine of the columns with `shrink` added to the denominator, the best `neighbours` per column kept.

    ItemKNN as of Sarwar et al. (WWW 2001); shrinkage after Ferrari Dacrema et al. (RecSys 2019).
    """
    norms = np.sqrt(np.asarray(matrix.multiply(matrix).sum(axis=0)).ravel())

    def cosine(products: Matrix) -> np.ndarray:
        return np.asarray(products.data / (norms[products.row] * norms[products.col] + shrink))

    return _strongest_products(matrix.T.tocsr(), matrix.tocsc(), neighbours, cosine)


def random_walk_similarity(matrix: Matrix, alpha: float = 0.8, beta: float = 0.4, neighbours: int = 100) -> Matrix:
    """Items x items: probability of the walk item, user, item, to the power alpha, less popular targets favoured by beta.

    RP3beta: Paudel et al., ACM TiiS 7 (2017).
    """
    seen = (matrix > 0).astype(np.float64).tocsr()
    popularity = np.asarray(seen.sum(axis=0)).ravel()
    to_item = scipy.sparse.diags(_inverse(np.asarray(seen.sum(axis=1)).ravel())) @ seen
    to_user = scipy.sparse.diags(_inverse(popularity)) @ seen.T
    to_item.data, to_user.data = to_item.data**alpha, to_user.tocsr().data ** alpha
    favoured = (to_item @ scipy.sparse.diags(_inverse(popularity**beta))).T.tocsr()
    return _strongest_products(favoured, to_user.T.tocsc(), neighbours, lambda products: np.asarray(products.data)).T.tocsr()


def ease_weights(matrix: Matrix, regularisation: float = 100.0) -> np.ndarray:
    """Items x items weights of the linear autoencoder with zero diagonal, in closed form: Steck, EASE, WWW 2019.

    Inverts items x items: for some thousand items on one machine.
    """
    # Items that nobody has stand apart: their weights are zero.
    known = np.flatnonzero(np.asarray(abs(matrix).sum(axis=0)).ravel())
    some = matrix.tocsc()[:, known]
    gram = np.asarray((some.T @ some).todense(), dtype=np.float64)
    gram[np.diag_indices_from(gram)] += regularisation
    inverse = np.linalg.inv(gram)
    inner = -inverse / np.diag(inverse)
    np.fill_diagonal(inner, 0.0)
    weights = np.zeros((matrix.shape[1], matrix.shape[1]))
    weights[np.ix_(known, known)] = inner
    return weights


def normalised_ease_weights(matrix: Matrix, regularisation: float = 1.0, item_power: float = 0.3) -> np.ndarray:
    """EASE on a matrix whose rows are divided by the root of their sum and columns by a power of theirs.

    Normalising the data before a linear autoencoder keeps popular items and heavy users from filling it: Park et al., SIGIR 2025.
    """
    users, items = np.asarray(matrix.sum(axis=1)).ravel(), np.asarray(matrix.sum(axis=0)).ravel()
    scale = _inverse(items**item_power)
    weights = ease_weights(scipy.sparse.diags(_inverse(np.sqrt(users))) @ matrix @ scipy.sparse.diags(scale), regularisation)
    return np.asarray(scale[:, None] * weights * (items**item_power)[None, :])


def strongest(similarity: Matrix, neighbours: int) -> Matrix:
    """The `neighbours` largest values of each column of a CSC matrix; of equal ones those of the lowest row."""
    similarity.sort_indices()
    kept = np.ones(similarity.nnz, dtype=bool)
    # A partition per long column: sorting everything takes ten times as long.
    for column in np.flatnonzero(np.diff(similarity.indptr) > neighbours):
        first, last = similarity.indptr[column], similarity.indptr[column + 1]
        values = similarity.data[first:last]
        least = np.partition(values, -neighbours)[-neighbours]
        kept[first:last] = values > least
        ties = np.flatnonzero(values == least)
        kept[first + ties[: neighbours - int(kept[first:last].sum())]] = True
    counted = np.concatenate([[0], np.cumsum(kept)])
    pointers = counted[similarity.indptr]
    return scipy.sparse.csc_matrix((similarity.data[kept], similarity.indices[kept], pointers), shape=similarity.shape).tocsr()


def _strongest_products(left: Matrix, right: Matrix, neighbours: int, value: Callable[[Matrix], np.ndarray]) -> Matrix:
    """The strongest of each column of left (items x users) @ right (users x items) by `value`, no item its own neighbour.

    Some columns at a time: the whole product has an entry for any two items that one user has.
    """
    size = np.diff(left.tocsc().indptr)
    entries = np.asarray((right > 0).astype(np.int64).T @ size).ravel()
    block = (np.cumsum(entries) // ENTRIES_AT_ONCE).astype(np.int64)
    bounds = [*np.flatnonzero(np.diff(block, prepend=-1)), right.shape[1]]
    parts = [scipy.sparse.csc_matrix((left.shape[0], 0))]
    for first, last in pairwise(bounds):
        products = (left @ right[:, first:last]).tocoo()
        products.col = products.col + first
        off = products.row != products.col
        place = (products.row[off], products.col[off] - first)
        values = scipy.sparse.coo_matrix((value(products)[off], place), shape=(left.shape[0], last - first))
        parts.append(strongest(values.tocsc(), neighbours))
    return scipy.sparse.hstack(parts, format="csr")


def _inverse(values: np.ndarray) -> np.ndarray:
    return np.asarray(np.divide(1.0, values, out=np.zeros_like(values, dtype=np.float64), where=values > 0))
