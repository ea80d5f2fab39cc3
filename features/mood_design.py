"""What a track's mood is told from: every audio feature that does not define it, and its genres."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

Floats = NDArray[np.float64]

AUDIO = (
    *["danceability", "acousticness", "instrumentalness", "speechiness", "liveness", "loudness", "tempo"],
    *["time_signature", "key", "mode", "duration_ms", "explicit"],
)
EXACT_DIGITS = 9
PRIOR_TRACKS = 20
"""Tracks that the overall shares of moods weigh in a genre's."""


def audio_matrix(tracks: pa.Table | pa.RecordBatch) -> Floats:
    """(tracks, AUDIO); NaN where unknown, which boosted trees take as it is."""
    columns = [pc.cast(tracks.column(name), pa.float64()) for name in AUDIO]
    matrix = np.column_stack([column.to_numpy(zero_copy_only=False) for column in columns])
    # A mean of two tracks may be the very threshold of a tree: its last bit, which engines differ in, must not decide.
    return np.asarray(np.round(matrix, EXACT_DIGITS))


def genre_pairs(tracks: pa.Table | pa.RecordBatch, genres: Sequence[str]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Every track's every known genre: row of the track, position in `genres`."""
    lists = tracks.column("genres")
    lists = lists.combine_chunks() if isinstance(lists, pa.ChunkedArray) else lists
    rows = pc.list_parent_indices(lists)
    numbers = pc.index_in(pc.list_flatten(lists), pa.array(genres, pa.string()))
    is_known = pc.is_valid(numbers).to_numpy(zero_copy_only=False)
    numbers = pc.fill_null(numbers, -1).to_numpy(zero_copy_only=False).astype(np.int64)
    return rows.to_numpy(zero_copy_only=False).astype(np.int64)[is_known], numbers[is_known]


def genre_counts(rows: NDArray[np.int64], numbers: NDArray[np.int64], moods: NDArray[np.int64], shape: tuple[int, int]) -> Floats:
    """(genres, moods): tracks of each."""
    flat = np.bincount(numbers * shape[1] + moods[rows], minlength=shape[0] * shape[1])
    return flat.astype(np.float64).reshape(shape)


def shares(counts: Floats, overall: Floats) -> Floats:
    """Shares of moods by genre, drawn to the overall ones by PRIOR_TRACKS tracks (Micci-Barreca 2001)."""
    return np.asarray((counts + PRIOR_TRACKS * overall) / (counts.sum(axis=1, keepdims=True) + PRIOR_TRACKS))


def encoded(rows: NDArray[np.int64], numbers: NDArray[np.int64], of_genre: Floats, tracks: int) -> Floats:
    """(tracks, moods): the mean over a track's genres of their shares of moods; NaN without a known genre."""
    total = np.column_stack([np.bincount(rows, weights=column[numbers], minlength=tracks) for column in of_genre.T])
    number = np.bincount(rows, minlength=tracks)[:, None]
    return np.asarray(np.where(number > 0, total / np.maximum(number, 1), np.nan))


def probabilities(raw: Floats, sharpness: float) -> Floats:
    """Temperature scaling (Guo et al. 2017): probabilities to the power of `sharpness` (1 / temperature), summing to 1."""
    powered = np.clip(raw, 1e-12, 1.0) ** sharpness
    return np.asarray(powered / powered.sum(axis=1, keepdims=True))
