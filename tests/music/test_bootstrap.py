"""Resampling: the same draws in blocks of any size, whole clusters, intervals as wide as theory says."""

from __future__ import annotations

import numpy as np
import pytest

from music import bootstrap


@pytest.mark.parametrize("most", [1, 7, 100, 10_000])
def test_samples_are_the_same_in_blocks_of_any_size(monkeypatch: pytest.MonkeyPatch, most: int) -> None:
    values, one = np.random.default_rng(1).random(30), np.random.default_rng(5)
    monkeypatch.setattr(bootstrap, "DRAWN_AT_ONCE", most)
    samples = [values[one.integers(0, 30, 30)] for _ in range(11)]
    means = bootstrap.resampled(values, bootstrap.row_means, 11, 5)
    assert means == pytest.approx([sample.mean() for sample in samples])
    assert bootstrap.resampled(values, bootstrap.row_medians, 11, 5) == pytest.approx([np.median(s) for s in samples])


def test_clusters_are_the_same_in_blocks_of_any_size(monkeypatch: pytest.MonkeyPatch) -> None:
    sums = np.random.default_rng(2).random((6, 3))
    whole = bootstrap.resampled_sums(sums, 50, 9)
    monkeypatch.setattr(bootstrap, "WEIGHTS_AT_ONCE", 40)
    assert bootstrap.resampled_sums(sums, 50, 9) == pytest.approx(whole)


def test_whole_clusters_are_drawn() -> None:
    """Two sessions, all 0 and all 1: a mean is 0, 0.5 or 1, so its interval is all of it, however many listens they have."""

    def mean(sums: np.ndarray) -> np.ndarray:
        return np.asarray(sums[..., 1] / sums[..., 0])

    assert bootstrap.cluster_interval(np.array([[500.0, 0.0], [500.0, 500.0]]), mean).tolist() == [0.0, 1.0]
    assert bootstrap.cluster_interval(np.array([[5.0, 2.0]] * 3), mean) == pytest.approx([0.4, 0.4])
    assert np.isnan(bootstrap.cluster_interval(np.array([[5.0, 2.0]]), mean)).all(), "one session says nothing of others"


def test_the_interval_of_a_mean_is_as_wide_as_theory_says() -> None:
    values = np.random.default_rng(3).normal(size=400)
    low, high = bootstrap.mean_interval(values)
    assert low is not None
    assert high is not None
    assert low < values.mean() < high
    assert high - low == pytest.approx(2 * 1.96 * values.std() / 20, rel=0.1)
    assert bootstrap.mean_interval(np.array([1.0])) == (None, None)
