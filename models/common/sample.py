"""A capped sample of rows for learning in Python: the same rows in the same order, however the table is stored."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from music.populations import POPULATIONS, population_by_id


def sampled(rows: DataFrame, ids: Sequence[str], columns: Sequence[str], most: int) -> dict[str, NDArray[np.float64]]:
    """Per population with rows, the `columns` of at most `most` rows, those with the lowest hash of `ids`; null is NaN.

    The engine keeps only that many rows while it reads, so the size of the table does not matter. `ids` identify a row.
    """
    samples = {}
    for name in POPULATIONS:
        of_population = rows.where(population_by_id() == name)
        lowest = of_population.orderBy(F.xxhash64(*ids), *ids).limit(most)
        values = matrix(lowest.select(*[F.col(column).cast("double") for column in columns]).toArrow())
        if len(values):
            samples[name] = values
    return samples


def matrix(table: pa.Table) -> NDArray[np.float64]:
    """A table of doubles as (rows, columns); null is NaN."""
    return np.column_stack([column.to_numpy().astype(np.float64) for column in table.columns])
