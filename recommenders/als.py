"""Matrix factorisation of implicit feedback by alternating least squares, with MLlib's loss, where there is no JVM.

Hu, Koren & Volinsky (ICDM 2008): confidence 1 + alpha r, preference 1 for every play. As in Spark's MLlib the penalty of a user
or an item grows with the number of its interactions (Zhou et al., AAIM 2008).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from recommenders.interactions import Matrix


@dataclass(frozen=True)
class AlsSettings:
    """What the loss and the solver need; the defaults are the tuned ones for listening counts after log(1 + plays)."""

    rank: int = 64
    regularisation: float = 0.5
    alpha: float = 0.5
    iterations: int = 15
    seed: int = 0


def factorise(matrix: Matrix, settings: AlsSettings) -> tuple[np.ndarray, np.ndarray]:
    """User factors (users x rank) and item factors (items x rank) of a matrix of non-negative ratings."""
    draw = np.random.default_rng(settings.seed)
    items = np.abs(draw.standard_normal((matrix.shape[1], settings.rank)))
    items /= np.linalg.norm(items, axis=1, keepdims=True)
    by_item = matrix.T.tocsr()
    users = np.zeros((matrix.shape[0], settings.rank))
    for _ in range(settings.iterations):
        users = solve(matrix, items, settings)
        items = solve(by_item, users, settings)
    return users, items


def solve(matrix: Matrix, fixed: np.ndarray, settings: AlsSettings) -> np.ndarray:
    """The factors of the rows of `matrix` that minimise the loss given the factors of its columns; zeros for an empty row."""
    gram = fixed.T @ fixed
    factors = np.zeros((matrix.shape[0], fixed.shape[1]))
    for row in range(matrix.shape[0]):
        first, last = matrix.indptr[row], matrix.indptr[row + 1]
        if first == last:
            continue
        others, extra = fixed[matrix.indices[first:last]], settings.alpha * matrix.data[first:last]
        left = gram + (others.T * extra) @ others
        left[np.diag_indices_from(left)] += settings.regularisation * (last - first)
        factors[row] = np.linalg.solve(left, others.T @ (1.0 + extra))
    return factors
