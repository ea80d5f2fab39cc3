"""What vectors share: unit length, vectors made of weighted parts, and the way between matrices and array columns."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa

# Shorter vectors have no direction worth the name.
SHORTEST = 1e-9


def unit_rows(rows: np.ndarray) -> np.ndarray:
    """Each row scaled to unit length; rows of zeros stay so."""
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    scaled: np.ndarray = np.where(lengths > SHORTEST, rows / np.where(lengths > SHORTEST, lengths, 1.0), 0.0)
    return scaled


def blended(parts: Sequence[tuple[np.ndarray, float]]) -> np.ndarray:
    """Unit rows of which each part (unit rows or rows of zeros, weight >= 0) makes up its share.

    Where a part is missing the others keep their proportion. The product of two rows that have all parts is the weighted
    mean of the parts' cosines.
    """
    return unit_rows(np.hstack([np.sqrt(weight) * rows for rows, weight in parts]))


def is_there(rows: np.ndarray) -> np.ndarray:
    """Which rows are not all zeros."""
    found: np.ndarray = np.any(rows != 0, axis=1)
    return found


def matrix(vectors: Any, dimensions: int) -> np.ndarray:
    """An Arrow column of arrays as a matrix with one row per row; a missing vector is a row of zeros."""
    column = vectors.combine_chunks() if isinstance(vectors, pa.ChunkedArray) else vectors
    known = column.is_valid().to_numpy(zero_copy_only=False)
    filled = np.zeros((len(column), dimensions))
    filled[known] = column.drop_null().flatten().to_numpy(zero_copy_only=False).reshape(-1, dimensions)
    return filled


def arrays(rows: np.ndarray) -> pa.ListArray:
    """A matrix as an Arrow column of arrays."""
    offsets = np.arange(0, rows.size + 1, max(rows.shape[1], 1), dtype=np.int32)
    return pa.ListArray.from_arrays(pa.array(offsets), pa.array(rows.ravel(), pa.float64()))
