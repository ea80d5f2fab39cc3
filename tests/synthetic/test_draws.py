"""The draws follow the laws they are named after; repeats are ACT-R's base-level activation."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from synthetic.draws import positions_in_runs, power_law_lag, power_law_rank, uniform_of
from synthetic.repeats import DECAY, copied_from, first_of_chain
from synthetic.sessions import without_overlap

GRID = (np.arange(200_000) + 0.5) / 200_000


@settings(deadline=None, derandomize=True, max_examples=40)
@given(st.integers(1, 3_000), st.floats(0, 1, exclude_max=True))
def test_a_lag_is_where_the_summed_weights_pass_the_uniform(past: int, uniform: float) -> None:
    [lag] = power_law_lag(np.array([uniform]), np.array([past]), DECAY)
    weights = np.arange(1, past + 1) ** -0.5
    summed = np.cumsum(weights) / weights.sum()
    assert 1 <= lag <= past
    assert lag == 1 or summed[lag - 2] <= uniform + 1e-9
    assert uniform <= summed[lag - 1] + 1e-9


@settings(deadline=None, derandomize=True, max_examples=40)
@given(st.lists(st.integers(0, 4), min_size=1, max_size=60))
def test_copying_a_play_at_a_power_law_lag_is_choosing_a_track_by_base_level_activation(tracks: list[int]) -> None:
    past = np.array(tracks)
    lags = power_law_lag(GRID, np.full(len(GRID), len(past)), DECAY)
    copied = np.bincount(past[-lags], minlength=5) / len(GRID)
    age = len(past) - np.arange(len(past))
    activation = np.array([np.sum(age[past == track] ** -0.5) for track in range(5)])
    assert copied == pytest.approx(activation / activation.sum(), abs=1e-3)


def test_lags_of_a_long_history_fall_with_the_square_root() -> None:
    number = np.arange(400_000)
    source = copied_from(np.random.default_rng(1), number, np.full(len(number), 0.5))
    lag = (number - source)[300_000:]
    lag = lag[lag > 0]
    edges = np.geomspace(1, 100_000, 12).astype(np.int64)
    density = np.histogram(lag, edges)[0] / np.diff(edges)
    slope = np.polyfit(np.log(np.sqrt(edges[:-1] * edges[1:])), np.log(density), 1)[0]
    assert slope == pytest.approx(-DECAY, abs=0.03)


@settings(deadline=None, derandomize=True, max_examples=40)
@given(st.lists(st.integers(1, 30), min_size=1, max_size=8), st.integers(0, 2**32), st.floats(0, 1))
def test_a_repeat_copies_an_earlier_play_of_the_same_listener(plays: list[int], seed: int, share: float) -> None:
    listener, number = np.repeat(np.arange(len(plays)), plays), positions_in_runs(np.array(plays))
    source = copied_from(np.random.default_rng(seed), number, np.full(len(number), share))
    assert (source <= np.arange(len(source))).all()
    assert (listener[source] == listener).all()
    assert (source[number == 0] == np.flatnonzero(number == 0)).all()
    none = copied_from(np.random.default_rng(seed), number, np.zeros(len(number)))
    assert (none == np.arange(len(none))).all()


@settings(deadline=None, derandomize=True, max_examples=40)
@given(st.lists(st.floats(0, 1), min_size=1, max_size=200))
def test_chains_of_copies_end_at_the_play_that_copies_nothing(shares: list[float]) -> None:
    source = np.array([min(int(share * (row + 1)), row) for row, share in enumerate(shares)])
    expected = []
    for start in range(len(source)):
        row = start
        while source[row] != row:
            row = source[row]
        expected.append(row)
    assert first_of_chain(source).tolist() == expected


@pytest.mark.parametrize("exponent", [-0.4, 0.3, 0.8, 1.0, 1.4])
def test_ranks_follow_the_power_law(exponent: float) -> None:
    drawn = power_law_rank(GRID, exponent, np.full(len(GRID), 50))
    found = np.bincount(drawn, minlength=51)[1:] / len(GRID)
    wanted = np.arange(1, 51) ** -exponent
    assert found == pytest.approx(wanted / wanted.sum(), rel=0.16, abs=2e-4)
    assert found[4:] == pytest.approx(wanted[4:] / wanted[4:].sum() * found[4:].sum(), rel=0.03, abs=1e-4)


@settings(deadline=None, derandomize=True, max_examples=40)
@given(st.integers(0, 2**63 - 1), st.integers(1, 10**9))
def test_uniforms_of_ids_are_even_and_unrelated(seed: int, first: int) -> None:
    ids = np.arange(first, first + 20_000)
    one, two = uniform_of(seed, ids, 1, 0), uniform_of(seed, ids, 2, 0)
    assert one.min() >= 0
    assert one.max() < 1
    # Six standard errors of a bin's count and of a correlation.
    assert np.histogram(one, 20, (0, 1))[0] == pytest.approx(np.full(20, 1000), abs=190)
    assert abs(np.corrcoef(one, two)[0, 1]) < 6 / 20_000**0.5
    assert abs(np.corrcoef(one[1:], one[:-1])[0, 1]) < 6 / 20_000**0.5
    assert (uniform_of(seed, ids[:5], 1, 0) == one[:5]).all()


@settings(deadline=None, derandomize=True, max_examples=40)
@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 1000), st.integers(1, 400)), min_size=1, max_size=60))
def test_sessions_are_moved_just_enough_not_to_overlap(planned: list[tuple[int, int, int]]) -> None:
    planned.sort()
    listener, start, length = (np.array(values) for values in zip(*planned, strict=True))
    expected: list[int] = []
    for row, (who, begins, _) in enumerate(planned):
        follows = row and planned[row - 1][0] == who
        expected.append(max(begins, expected[-1] + planned[row - 1][2]) if follows else begins)
    assert without_overlap(start, length, listener).tolist() == expected
