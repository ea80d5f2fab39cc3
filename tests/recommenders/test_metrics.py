"""Ranking and its figures against values worked out by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import sparse

from music.bootstrap import resampled, row_means
from recommenders import metrics


def held(*rows: list[int]) -> sparse.csr_matrix:
    matrix = np.zeros((len(rows), 6))
    for user, items in enumerate(rows):
        matrix[user, items] = 1
    return sparse.csr_matrix(matrix)


def test_ties_go_to_the_lowest_number_and_nothing_is_ranked_that_may_not_be() -> None:
    scores = np.array([[1.0, 3.0, 3.0, 2.0, np.nan, -np.inf]])
    assert metrics.ranked(scores, 6).tolist() == [[1, 2, 3, 0, metrics.NOTHING, metrics.NOTHING]]
    assert metrics.ranked(scores, 2, held([1])).tolist() == [[2, 3]]
    assert metrics.ranked(np.zeros((1, 6)), 3).tolist() == [[0, 1, 2]]
    assert metrics.ranked(scores, 10).shape == (1, 6)
    assert metrics.ranked(scores, 0).shape == (1, 0)


def test_scores_of_double_precision_tie_where_nine_digits_are_equal() -> None:
    """0.1 + 0.2 is more than 0.3 by its last bit."""
    assert metrics.ranked(np.array([[0.3, 0.1 + 0.2]]), 1).tolist() == [[0]]


def test_many_equal_scores_are_ranked_by_number() -> None:
    """Twenty and more: numpy's default sort keeps the order of fewer by chance."""
    scores = np.tile([0.0, 2.0, 1.0], 40)[None, :]
    best = [number for level in (1, 2, 0) for number in range(level, 120, 3)]
    assert metrics.ranked(scores, 120).tolist() == [best]


def test_each_user_has_exclusions_and_held_out_items_of_their_own() -> None:
    scores = np.tile([5.0, 4.0, 3.0, 2.0, 1.0, 0.0], (3, 1))
    assert metrics.ranked(scores, 2, held([0], [1, 2], [])).tolist() == [[1, 2], [0, 3], [0, 1]]
    found = metrics.hits(np.tile([0, 1, 2], (3, 1)), held([0], [1, 2], [5]))
    assert found.tolist() == [[True, False, False], [False, True, True], [False, False, False]]
    assert found.dtype == bool


def test_figures_of_one_user_by_hand() -> None:
    # Held out: 2, 3, 5; ranked 1, 2, 5, 0: hits in places 2 and 3.
    ranking = np.array([[1, 2, 5, 0]])
    found, relevant = metrics.hits(ranking, held([2, 3, 5])), np.array([3])
    ideal = 1 + 1 / math.log2(3) + 1 / 2
    assert metrics.ndcg(found, relevant, 10)[0] == pytest.approx((1 / math.log2(3) + 1 / 2) / ideal)
    assert metrics.ndcg(found, relevant, 2)[0] == pytest.approx((1 / math.log2(3)) / (1 + 1 / math.log2(3)))
    assert metrics.recall(found, relevant, 20)[0] == pytest.approx(2 / 3)
    assert metrics.average_precision(found, relevant, 10)[0] == pytest.approx((1 / 2 + 2 / 3) / 3)
    assert metrics.average_precision(found, relevant, 2)[0] == pytest.approx((1 / 2) / 2)


def test_figures_are_named_by_their_number_of_places() -> None:
    """One user gets items 0 to 29 in this order; 9, 10, 19 and 20 are held out, in places 10, 11, 20 and 21."""
    ranking = np.arange(30)[None, :]
    held_out, seen = np.zeros((1, 600)), np.zeros((8, 600))
    held_out[0, [9, 10, 19, 20]] = 1
    seen[0, :9], seen[:2, 9], seen[:8, 10] = 1, 1, 1
    figures = metrics.per_user(ranking, sparse.csr_matrix(held_out), sparse.csr_matrix(seen))
    ideal = sum(1 / math.log2(place + 1) for place in range(1, 5))
    assert figures["ndcg@10"] == pytest.approx([1 / math.log2(11) / ideal])
    assert figures["recall@20"] == pytest.approx([3 / 4])
    assert figures["map@10"] == pytest.approx([1 / 10 / 4])
    assert figures["map@500"] == pytest.approx([(1 / 10 + 2 / 11 + 3 / 20 + 4 / 21) / 4])
    # One of eight users knows items 0 to 8 (3 bits), two know item 9 (2 bits).
    assert figures["novelty@10"] == pytest.approx([(9 * 3 + 2) / 10])
    # The 36 pairs among items 0 to 8 have a cosine of 1, the 9 pairs with item 9 one of 1 / sqrt 2.
    assert figures["diversity@10"] == pytest.approx([9 * (1 - 1 / math.sqrt(2)) / 45])
    assert len(figures) == 6


def test_the_last_place_of_map_is_the_five_hundredth() -> None:
    held_out = np.zeros((1, 600))
    held_out[0, [499, 500]] = 1
    figures = metrics.per_user(np.arange(600)[None, :], sparse.csr_matrix(held_out), sparse.csr_matrix((1, 600)))
    assert figures["map@500"] == pytest.approx([1 / 500 / 2])


def test_users_without_hits_or_predictions_count_as_zero_and_those_without_held_out_items_not_at_all() -> None:
    ranking = np.array([[0, 1], [metrics.NOTHING, metrics.NOTHING], [2, 3], [4, 5]])
    figures = metrics.per_user(ranking, held([0, 1], [2], [5], []), held([2], [3], [4], [0]))
    assert figures["ndcg@10"].tolist() == [1.0, 0.0, 0.0]
    assert figures["recall@20"].tolist() == [1.0, 0.0, 0.0]
    assert metrics.interval(figures["ndcg@10"]).value == pytest.approx(1 / 3)


def test_coverage_novelty_and_diversity_by_hand() -> None:
    seen = held([0, 1], [0], [0, 2], [0])
    ranking = np.array([[0, 1], [0, metrics.NOTHING]])
    assert metrics.coverage(ranking, 6, 10) == pytest.approx(2 / 6)
    # All four know item 0 (0 bits), one of four item 1 (2 bits).
    assert metrics.novelty(ranking, seen, 10).tolist() == [1.0, 0.0]
    # Cosine of items 0 and 1: one common user over sqrt(4) * sqrt(1).
    assert metrics.diversity(ranking, seen, 10).tolist() == [0.5, 0.0]


def test_items_and_users_of_the_smallest_catalogue() -> None:
    only = sparse.csr_matrix(np.ones((1, 1)))
    assert metrics.coverage(np.array([[0]]), 1, 10) == 1.0
    assert metrics.coverage(np.full((1, 1), metrics.NOTHING), 0, 10) == 0.0
    assert metrics.novelty(np.array([[0]]), only, 10).tolist() == [0.0]
    # Items that one user knows each, and nobody both.
    assert metrics.diversity(np.array([[0, 1]]), held([0], [1]), 10).tolist() == [1.0]
    # Items that nobody knows have no cosine, which counts as 0.
    assert metrics.diversity(np.array([[4, 5]]), held([0], [1]), 10).tolist() == [1.0]


def test_interval_holds_the_mean_and_is_the_same_each_time() -> None:
    values = np.random.default_rng(3).random(200)
    drawn = metrics.interval(values)
    assert drawn == metrics.interval(values)
    assert drawn.low < drawn.value < drawn.high
    assert drawn.high - drawn.low == pytest.approx(2 * 1.96 * values.std() / math.sqrt(200), rel=0.15)
    assert drawn.n == 200
    assert metrics.interval(np.array([])) == metrics.Figure(0.0, 0.0, 0.0, 0)


def test_interval_leaves_a_fortieth_of_the_draws_on_either_side() -> None:
    values = np.random.default_rng(3).exponential(size=50)
    means = resampled(values, row_means, 4000, 7)
    drawn = metrics.interval(values, 4000, 7)
    assert (means < drawn.low).mean() == pytest.approx(0.025, abs=0.0005)
    assert (means > drawn.high).mean() == pytest.approx(0.025, abs=0.0005)
    assert metrics.interval(values, 4000, 8) != drawn


def test_nothing_found_is_not_certainly_nothing_to_find() -> None:
    none, all_found = metrics.interval_of_shares(np.zeros(109)), metrics.interval_of_shares(np.ones(109))
    # 109 misses: a share of p gives them with a chance of (1 - p)^109, which is 2.5% at p = .0333.
    assert (none.value, none.low, none.n) == (0.0, 0.0, 109)
    assert (1 - none.high) ** 109 == pytest.approx(0.025)
    assert all_found == metrics.Figure(1.0, pytest.approx(1 - none.high), 1.0, 109)
    # One miss: a share of 97.5% gives it with a chance of 2.5%.
    assert metrics.interval_of_shares(np.zeros(1)).high == pytest.approx(0.975)
    mixed = np.arange(20) / 20
    assert metrics.interval_of_shares(mixed) == metrics.interval(mixed)
    assert metrics.interval_of_shares(np.array([])) == metrics.Figure(0.0, 0.0, 0.0, 0)


def test_diversity_is_the_same_whoever_is_compared_together(monkeypatch: pytest.MonkeyPatch) -> None:
    """Against cosines written out pair by pair, for users in several blocks, with gaps at the end of rankings."""
    draw = np.random.default_rng(3)
    seen = sparse.csr_matrix((draw.random((12, 9)) < 0.5).astype(float))
    ranking = np.array([draw.permutation(9)[:4] for _ in range(12)])
    ranking[4, 2:], ranking[7, 1:], ranking[9] = metrics.NOTHING, metrics.NOTHING, metrics.NOTHING
    knows = seen.toarray()
    expected = []
    for row in ranking:
        items = [int(item) for item in row if item != metrics.NOTHING]
        cosines = [
            knows[:, a] @ knows[:, b] / max(np.linalg.norm(knows[:, a]) * np.linalg.norm(knows[:, b]), 1e-12)
            for place, a in enumerate(items)
            for b in items[place + 1 :]
        ]
        expected.append(1 - np.mean(cosines) if cosines else 0.0)
    monkeypatch.setattr(metrics, "USERS_AT_ONCE", 5)
    assert metrics.diversity(ranking, seen, 4) == pytest.approx(expected)
