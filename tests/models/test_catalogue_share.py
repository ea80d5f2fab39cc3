"""A large catalogue is cut in the order of catalogues, popularity and ids; a smaller one is learned from whole."""

from __future__ import annotations

import pytest
from pyspark.sql import SparkSession

import silver.catalogue  # noqa: F401
from models.common import catalogue_share
from music.catalogues import CATALOGUES
from tests.frames import frame

TRACKS = [
    ("b", CATALOGUES[2], CATALOGUES[2], 90),
    ("a", CATALOGUES[2], CATALOGUES[2], 80),
    ("d", CATALOGUES[1], CATALOGUES[2], 100),
    ("c", CATALOGUES[1], None, 0),
    ("e", CATALOGUES[0], CATALOGUES[0], 1),
]


@pytest.mark.parametrize(("most", "kept"), [(5, "abcde"), (4, "bcde"), (3, "cde"), (2, "ce"), (1, "e")])
def test_the_first_tracks(spark: SparkSession, monkeypatch: pytest.MonkeyPatch, most: int, kept: str) -> None:
    monkeypatch.setattr(catalogue_share, "MOST_TRACKS", most)
    names = ("track_id", "catalogue_source", "popularity_source", "popularity")
    listed = frame(spark, "silver.catalogue", [dict(zip(names, track, strict=True)) for track in TRACKS])
    assert sorted(row["track_id"] for row in catalogue_share.learned_from(listed).collect()) == list(kept)
