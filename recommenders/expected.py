"""What a user plays next as a sum of two habits: coming back to what was played, and taking up new items of liked artists."""

from __future__ import annotations

from typing import Any

import numpy as np

from recommenders.interactions import Interactions, Matrix, ones
from recommenders.models import Scorer

NEW_ANYWHERE = 0.2
"""Share of the new items that come from anywhere, by how many users know them."""
FEW_ITEMS = 5
"""Items of no artist that a user is taken to know, so that one item makes nobody loyal."""
REPEATS = (0.05, 0.95)
"""Bounds of the share of plays that come back: a short history shows all of it as new."""


def activation(age: Any, ahead: float) -> Any:
    """How active a play of this age is over the time ahead (same unit): base-level activation, age^-0.5, integrated, halved.

    Anderson & Schooler, Psychological Science 2 (1991). Takes arrays, and Spark's columns.
    """
    return (age + ahead) ** 0.5 - age**0.5


def expected_plays(data: Interactions) -> Scorer:
    """The share of the user's coming plays that each item is expected to have; needs all plays, their activation and artists.

    Repeats: as often as the user repeats, by activation. New items: by how many items of its artist the user has taken up, and
    how many of the artist's listeners know it; some come from anywhere.
    """
    if data.played is None or data.returning is None or data.artists is None:
        raise ValueError("expected plays need all plays, their times and artists")
    taken, artists = ones(data.played), data.artists
    items = _row_sums(taken)
    repeated = np.clip(1.0 - items / np.maximum(_row_sums(data.played), 1.0), *REPEATS)
    returning = _scaled(data.returning, repeated / np.maximum(_row_sums(data.returning), 1e-12))
    of_artist = _scaled((taken @ artists).tocsr(), (1.0 - repeated) * (1.0 - NEW_ANYWHERE) / (items + FEW_ITEMS))
    known_by = np.asarray(taken.sum(axis=0), dtype=np.float64).ravel()
    within_artist = known_by / np.maximum(artists @ (artists.T @ known_by), 1.0)
    by_artist = _scaled(artists, within_artist).T.tocsr()
    anywhere = NEW_ANYWHERE * known_by / max(known_by.sum(), 1.0)

    def score(rows: np.ndarray) -> np.ndarray:
        told = np.asarray((returning[rows] + of_artist[rows] @ by_artist).todense(), dtype=np.float64)
        return np.asarray(told + (1.0 - repeated[rows])[:, None] * anywhere)

    return score


def _row_sums(matrix: Matrix) -> np.ndarray:
    return np.asarray(matrix.sum(axis=1), dtype=np.float64).ravel()


def _scaled(matrix: Matrix, by_row: np.ndarray) -> Matrix:
    scaled = matrix.tocsr().astype(np.float64)
    scaled.data = scaled.data * np.repeat(by_row, np.diff(scaled.indptr))
    return scaled
