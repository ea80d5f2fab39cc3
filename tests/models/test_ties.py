"""Equal scores rank by id and choose the first, in whatever order and on however many threads they were summed."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
from scipy import sparse
from threadpoolctl import threadpool_info, threadpool_limits

from lakehouse.build.one_thread import multiply_on_one_thread
from models.clusters.clustering import Curve, choose
from models.common.linear import alone
from models.hours.hourly_quantiles import forecasts
from models.recommendations.recommendation_weights import LENGTH, HeldOutWindow
from models.tracks.album_mates import Query, ranks
from models.tracks.catalogue_space import rank_of
from models.tracks.track_blend import next_track_metrics
from models.tracks.track_vectors import latent
from recommenders import metrics

BLOCKS, BLOCK, TWINS = 8, 6, 20
LOWER, HIGHER = 0.3, 0.1 + 0.2


def even(rows: int, seed: int) -> np.ndarray:
    """Vectors that are constant within blocks of their dimensions."""
    return np.repeat(np.random.default_rng(seed).normal(size=(rows, BLOCKS)), BLOCK, axis=1)


def shuffled_within_blocks(rows: np.ndarray, seed: int) -> np.ndarray:
    """The same entries in each block in another order: products with even vectors are equal sums in another order."""
    return np.random.default_rng(seed).permuted(rows.reshape(-1, BLOCKS, BLOCK), axis=2).reshape(rows.shape)


@pytest.fixture
def twins() -> np.ndarray:
    """100 directions, of each 20 vectors whose products with an even vector tie."""
    rows = np.random.default_rng(5).normal(size=(100, BLOCKS * BLOCK))
    return shuffled_within_blocks(np.repeat(rows / np.linalg.norm(rows, axis=1, keepdims=True), TWINS, axis=0), 7)


@pytest.mark.parametrize("threads", [1, 2, 3])
@pytest.mark.parametrize("seed", range(3))
def test_ranks_of_album_mates_depend_neither_on_the_order_of_sums_nor_on_threads(
    twins: np.ndarray, threads: int, seed: int
) -> None:
    tracks = np.vstack([even(50, 1), twins])
    asked = [Query(track, (50 + TWINS * track + seed,)) for track in range(50)]
    with threadpool_limits(threads, user_api="blas"):
        got = ranks({"genre": tracks}, [{"genre": 1.0}], asked, np.arange(len(tracks)))[0, :, 0]
    exact = tracks[:50] @ tracks.T
    target = np.array([exact[query.track, query.mates[0]] for query in asked])[:, None]
    is_other = np.arange(len(tracks))[None, :] != np.arange(50)[:, None]
    assert got.tolist() == ((exact > target - 1e-9) & is_other).sum(axis=1).tolist()


def test_the_rank_of_a_next_track_counts_ties_whatever_their_last_bits() -> None:
    assert rank_of(np.array([[1.0, LOWER, HIGHER, 0.2]]), np.array([0]), np.array([2])).tolist() == [2]
    assert rank_of(np.array([[1.0, LOWER, HIGHER, 0.2]]), np.array([0]), np.array([1])).tolist() == [2]


def test_recommended_items_of_equal_scores_are_in_the_order_of_their_numbers(twins: np.ndarray) -> None:
    got = metrics.ranked(even(20, 6) @ twins.T, 200)
    assert (np.diff(got.reshape(20, -1, TWINS), axis=2) == 1).all(), "each run of 20 equal ones is in order"


def test_candidates_of_equal_weighted_sums_are_in_the_order_of_their_ids() -> None:
    # Each of six items has the same three parts of its score, from other sources.
    parts = np.array([0.1, 0.2, 0.3])
    by_source = {name: parts[[i, (i + 1) % 3, (i + 2) % 3, (i + 2) % 3, i, (i + 1) % 3]] for i, name in enumerate("abc")}
    matrices = {name: sparse.csr_matrix(values[None, :]) for name, values in by_source.items()}
    none = sparse.csr_matrix((1, 6))
    window = HeldOutWindow(matrices, sparse.csr_matrix(np.ones((1, 6))), none, none, np.array([0]))
    window.values = {name: np.asarray(matrices[name][window.user, window.item]).ravel() for name in matrices}
    for names in ("abc", "bca", "cab"):
        window.values = {name: window.values[name] for name in names}
        assert window.ranking(dict.fromkeys("abc", 1.0))[0, :6].tolist() == [0, 1, 2, 3, 4, 5]
    assert LENGTH >= 6


def test_signs_of_components_do_not_depend_on_the_last_bits_of_their_entries() -> None:
    """The genres of a component may stand at its two ends alike: 1 and -1 up to the last bit."""
    similarity = np.array([[1.0, 0.2, 0.0], [0.2, 1.0, 0.2], [0.0, 0.2, 1.0]])
    expected = latent(similarity)
    for seed in range(30):
        noise = np.random.default_rng(seed).normal(size=(3, 3)) * 1e-16
        assert latent(similarity + noise + noise.T) == pytest.approx(expected, abs=1e-9)


def curve(k: int, stability: float, silhouette: float) -> Curve:
    return Curve(k, 1.0, silhouette, stability, stability, stability)


def test_the_number_of_clusters_does_not_depend_on_last_bits() -> None:
    assert choose([curve(3, LOWER, 0.5), curve(4, HIGHER, 0.4)]) == 3, "equally unstable: the better silhouette"
    assert choose([curve(3, 0.9, 1.0), curve(4, 0.9, 0.9 - 1e-16)]) == 4, "a tenth below the best is as good"


def test_of_baselines_that_rank_alike_the_first_is_named() -> None:
    first, second = np.array([2.0, 7.0, 11.0, 3.0, 5.0]), np.array([2.0, 3.0, 5.0, 7.0, 11.0])
    assert np.log(second).mean() < np.log(first).mean(), "the same ranks in another order, one bit apart"
    rows = next_track_metrics({"blended": np.ones(5), "popular": first, "artists": second}, "real")
    assert [row.baseline for row in rows if row.metric == "next track geometric mean rank"] == ["popular"]


def test_forecasts_at_a_half_of_their_last_digit_do_not_depend_on_last_bits() -> None:
    """.123 / 16 is .0076875; a bit less or more must give the same six digits."""
    half = 0.123 / 16
    near = {"mean": np.array([half, np.nextafter(half, 0), np.nextafter(half, 1)])}
    assert len(set(np.round(near["mean"], 6))) == 2
    assert len(set(forecasts(alone("mean", 0.5), near))) == 1


def test_products_stay_on_one_thread_while_other_trainings_end() -> None:
    """scikit-learn limits the threads of the whole process while it fits and then gives back what it found."""
    from sklearn.cluster import KMeans

    with threadpool_limits(2, user_api="blas"):
        multiply_on_one_thread()
        with ThreadPoolExecutor(2) as pool:
            rows = np.random.default_rng(1).normal(size=(500, 4))
            for _ in range(4):
                pool.submit(KMeans(3, n_init=2, random_state=1).fit, rows)
        assert blas_threads() == {1}


def blas_threads() -> set[int]:
    loaded: list[dict[str, Any]] = threadpool_info()
    return {library["num_threads"] for library in loaded if library["user_api"] == "blas"}
