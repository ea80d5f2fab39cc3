"""The part of the catalogue that models learn from in Python's memory."""

from __future__ import annotations

from pyspark.sql import DataFrame

from music.catalogues import preference

MOST_TRACKS = 120_000
"""A third more than the usual catalogue has; models of tracks take memory and time in proportion."""


def learned_from(catalogue: DataFrame) -> DataFrame:
    """The catalogue, or its first MOST_TRACKS: the preferred catalogues first, the popular first in each, then the lowest ids."""
    # A count is read from the files' statistics; most catalogues are spared the sort.
    if catalogue.count() <= MOST_TRACKS:
        return catalogue
    return catalogue.orderBy(*preference(), "track_id").limit(MOST_TRACKS)
