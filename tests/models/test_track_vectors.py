"""Vectors of tracks from the catalogue: by hand, of unit length, blind to ids and order; neighbours against exact search."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from pyspark.sql import SparkSession

from features import track_content
from features.unit_vectors import arrays, blended, matrix, unit_rows
from lakehouse.declare import Model
from lakehouse.storage.artifacts import store
from models.tracks.album_mates import SAME_ARTIST, Query, queries, ranks
from models.tracks.track_neighbours import NONE, nearest, recall_metrics, track_neighbours
from models.tracks.track_vectors import fit_genres, track_vectors
from music.audio_features import CONTINUOUS
from silver import catalogue as _catalogue  # noqa: F401 declares the table
from tests.frames import frame
from tests.silver.rows import recordings_of

RAW = {"mean": [0.0] * 9, "deviation": [1.0] * 9, "components": np.eye(7, 9).tolist()}


def tracks(number: int, seed: int = 1, prefix: str = "t") -> list[dict[str, Any]]:
    """Rows of silver.catalogue: three genres with a sound of their own, four tracks an artist, two an album."""
    draw = random.Random(seed)  # noqa: S311
    rows = []
    for i in range(number):
        genre = i % 3
        sound = {name: min(1.0, max(0.0, 0.2 + 0.3 * genre + draw.gauss(0, 0.1))) for name in CONTINUOUS}
        rows.append(
            {
                "track_id": f"{prefix}{i:04d}",
                "track_name": f"Title {i}",
                "artists": [f"Artist {genre}-{i // 12}"],
                "album_name": f"Album {genre}-{i // 6}",
                "genres": [("rock", "jazz", "house")[genre]],
                "popularity": 10,
                **sound,
            }
        )
    return rows


def stored(fitted: Any, name: str, folder: Path, spark: SparkSession) -> Model:
    store(fitted, folder / name)
    return Model(f"{name}-1", name, folder / name, spark)


def test_audio_by_hand() -> None:
    """Features 3 and 4 of deviation 1 and mean 0, the second cut at 3: (3, 3, 0 ..., 3) / sqrt(27); a missing one is the mean."""
    features = np.array([[3.0, 4.0, np.nan] + [0.0] * 6, [np.nan] * 9])
    got = track_content.audio(features, RAW)
    assert got[0] == pytest.approx(np.array([3, 3, 0, 0, 0, 0, 0, 3]) / np.sqrt(27))
    assert not got[1].any(), "without any feature there is no vector"


def test_artist_signature_is_the_digits_of_the_key() -> None:
    got = track_content.artist(pa.array(["0123456789abcdef", None]))
    assert got[0] == pytest.approx([-0.25] * 8 + [0.25] * 8)
    assert not got[1].any()


def test_genre_is_half_its_own_and_half_its_artists() -> None:
    first, second = np.eye(1, track_content.GENRE, 0), np.eye(1, track_content.GENRE, 1)
    genres = pa.table({"genre": ["rock", "jazz"], "vector": arrays(np.vstack([first, second]))})
    batch = pa.table(
        {
            "track_id": ["a", "b", "c"],
            "artist_key": pa.array([None, None, None], pa.string()),
            "genres": [["rock", "rock", "unheard of"], [], ["jazz"]],
            **{name: pa.array([None] * 3, pa.float64()) for name in CONTINUOUS},
        }
    )
    got = track_content.vectors(batch, RAW, genres, np.vstack([second, second, second * 0]))["genre"]
    assert got[:, :2] == pytest.approx(np.array([[np.sqrt(0.5), np.sqrt(0.5)], [0, 1], [0, 1]]))


def test_blend_is_the_weighted_mean_of_cosines_and_goes_without_missing_parts() -> None:
    left, right = unit_rows(np.array([[1.0, 0.0], [1.0, 1.0]])), unit_rows(np.array([[0.0, 1.0], [0.0, 1.0]]))
    got = blended([(left, 0.25), (right, 0.75)])
    assert float(got[0] @ got[1]) == pytest.approx(0.25 * np.sqrt(0.5) + 0.75)
    assert blended([(left, 0.25), (right * 0, 0.75)])[0] == pytest.approx([1, 0, 0, 0])
    assert not blended([(left * 0, 0.5), (right * 0, 0.5)]).any()


def test_arrays_and_matrix_are_inverse() -> None:
    rows = np.arange(6.0).reshape(3, 2)
    assert np.array_equal(matrix(arrays(rows), 2), rows)
    assert np.array_equal(matrix(pa.array([None, [1.0, 2.0]], pa.list_(pa.float64())), 2), [[0, 0], [1, 2]])
    assert len(arrays(np.zeros((0, 4)))) == 0


def test_genres_that_share_artists_are_near_each_other() -> None:
    listed = pa.table({"artist_key": ["a", "a", "b", "b", "c"], "genres": [["rock"], ["punk"], ["rock"], ["punk"], ["jazz"]]})
    genres, artists = fit_genres(listed)
    by_name = dict(zip(genres["genre"].to_pylist(), matrix(genres["vector"], track_content.GENRE), strict=True))
    assert float(by_name["rock"] @ by_name["punk"]) == pytest.approx(1.0)
    assert float(by_name["rock"] @ by_name["jazz"]) == pytest.approx(0.0, abs=1e-9)
    assert artists["artist_key"].to_pylist() == ["a", "b", "c"]


def test_rank_of_a_mate_by_hand() -> None:
    """Query 0 (with its second id 3): products 1 -> .8, 2 -> .6, 4 -> .6. The mate 2 ranks third: the tie counts against it."""
    part = np.array([[1.0, 0.0], [0.8, 0.6], [0.6, 0.8], [1.0, 0.0], [0.6, 0.8]])
    found = ranks({"audio": part}, [{"audio": 1.0}], [Query(0, (2,))], np.array([0, 1, 2, 0, 4]))
    assert found[0, 0, 0] == 3


def test_queries_are_of_different_albums_and_halves(spark: SparkSession) -> None:
    import pandas as pd

    rows = tracks(300)
    listed = pd.DataFrame({"album": [r["album_name"] for r in rows], "artist_key": [r["artists"][0] for r in rows]})
    listed["recording"] = [r["track_name"] for r in rows]
    found = queries(listed)
    for kind in (SAME_ARTIST,):
        albums = [{listed["album"][q.track] for q in found[split, kind]} for split in ("validation", "test")]
        assert all(albums)
        assert not albums[0] & albums[1]
    assert all(listed["album"][q.track] == listed["album"][m] for q in found["test", SAME_ARTIST] for m in q.mates)


def test_training_is_blind_to_ids_and_order(spark: SparkSession) -> None:
    rows = tracks(120)
    renamed = [{**row, "track_id": f"x{999 - i}"} for i, row in enumerate(rows)]
    random.Random(3).shuffle(renamed)  # noqa: S311
    catalogues = [frame(spark, "silver.catalogue", r) for r in (rows, renamed)]
    first, second = (track_vectors(catalogue, recordings_of(spark, catalogue)) for catalogue in catalogues)
    assert second.parameters["components"] == [pytest.approx(c) for c in first.parameters["components"]]
    assert second.parameters["weights"] == first.parameters["weights"]
    for name in ("genres", "artists"):
        pairs = zip(first.frames[name]["vector"].to_pylist(), second.frames[name]["vector"].to_pylist(), strict=True)
        assert all(b == pytest.approx(a) for a, b in pairs)
    assert {m["value"] for m in first.metrics if m["split"] == "catalogue"} == {1.0}, "every track has every part"


@pytest.mark.parametrize("number", [0, 1, 2, 30])
def test_small_catalogues(spark: SparkSession, tmp_path: Path, number: int) -> None:
    catalogue = frame(spark, "silver.catalogue", tracks(number))
    recordings = recordings_of(spark, catalogue)
    vectors = stored(track_vectors(catalogue, recordings), "track_vectors", tmp_path, spark)
    neighbours = track_neighbours(catalogue, recordings, vectors).frames["neighbours"]
    assert neighbours.num_rows == number * min(max(number - 1, 0), 20)


def test_neighbours_are_exact_enough_deterministic_and_of_other_recordings() -> None:
    generator = np.random.default_rng(5)
    space = unit_rows(generator.normal(size=(3000, 24)))
    # The last 500 are the first 500 under other ids.
    space[2500:] = space[:500]
    recordings = np.concatenate([np.arange(2500), np.arange(500)])
    near, scores = nearest(space, recordings)
    again, _ = nearest(space, recordings)
    assert np.array_equal(near, again)
    assert (recall_metrics(space, recordings, near)[0].value or 0.0) >= 0.95
    assert near.min() != NONE
    assert near.max() < 2500, "a recording under two ids is a neighbour once, under the first"
    assert (recordings[near] != recordings[:, None]).all()
    assert (np.diff(scores, axis=1) <= 0).all()
    assert scores[0, 0] == pytest.approx(float(space[0] @ space[near[0, 0]]), abs=1e-8)


def test_few_candidates_leave_places_empty() -> None:
    near, scores = nearest(unit_rows(np.array([[1.0, 0.0], [0.6, 0.8], [0.0, 1.0]])), np.arange(3))
    assert near[0].tolist()[:3] == [1, 2, NONE]
    assert scores[0, :2] == pytest.approx([0.6, 0.0])
