"""Tracks in memory, and the boosted trees that classify them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from features.mood_design import encoded
from music.moods import MOODS

SEED = 20240101
Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Tracks:
    """Catalogue tracks in memory, in the order of their ids."""

    table: pa.Table
    audio: Floats
    genres: tuple[str, ...]
    pairs: tuple[Ints, Ints]
    moods: Ints
    part: NDArray[np.object_]
    crosses: NDArray[np.bool_]
    """the recording stands under tracks of other parts too"""
    fold: Ints
    """a hash of the first artist, 0 to FOLDS - 1"""

    def __len__(self) -> int:
        return len(self.moods)


@dataclass(frozen=True)
class Classifier:
    """Boosted trees over audio features and the moods of a track's genres."""

    estimator: Any
    of_genre: Floats

    def raw(self, tracks: Tracks, members: NDArray[np.bool_]) -> Floats:
        """(members, MOODS): probabilities before calibration."""
        codes = encoded(*tracks.pairs, self.of_genre, len(tracks))
        return by_mood(self.estimator, np.column_stack([tracks.audio, codes])[members])


def one_thread() -> Any:
    """Threads wait for each other at every node: on busy cores, two threads took five times as long as one."""
    from threadpoolctl import threadpool_limits

    return threadpool_limits(1, user_api="openmp")


def by_mood(estimator: Any, matrix: Floats) -> Floats:
    """(rows, MOODS): probabilities in the order of MOODS, 0 for a mood that was not seen in training."""
    if not len(matrix):
        return np.zeros((0, len(MOODS)))
    with one_thread():
        return spread(estimator, estimator.predict_proba(matrix))


def spread(estimator: Any, probability: Floats) -> Floats:
    """Places the columns of the moods seen in training among those of all moods."""
    every = np.zeros((len(probability), len(MOODS)))
    every[:, estimator.classes_] = probability
    return every
