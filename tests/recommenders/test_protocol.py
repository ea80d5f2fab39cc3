"""Splits that cannot leak, and results that do not depend on names, order or scale."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from recommenders import als, neighbours
from recommenders.als import AlsSettings
from recommenders.blend import blended, choose_weights
from recommenders.expected import expected_plays
from recommenders.interactions import Interactions, filtered, from_pairs, matrix_of, random_split, read_pairs
from recommenders.models import (
    Recommender,
    ease,
    item_neighbours,
    most_popular,
    normalised_ease,
    personally_popular,
    random_walk,
    user_neighbours,
)
from recommenders.models import als as als_model
from recommenders.protocol import Split, all_models, compare, evaluate, random_protocol, scores, temporal_split

DAY = pd.Timestamp("2024-01-01", tz="UTC")
ALL = (most_popular, personally_popular, item_neighbours, user_neighbours, random_walk, ease, normalised_ease)


def leaks(split: Split, plays: pd.DataFrame, at: pd.Timestamp) -> bool:
    """Whether the known part, or what was played at all, holds anything that is not played before `at`."""
    before, known = plays[plays["at"] < at].assign(played=1.0), split.known
    matrices = {"plays": known.matrix, "played": known.played}
    return any(
        matrix is not None and abs(matrix - matrix_of(before, known.users, known.items, name)).sum() > 0
        for name, matrix in matrices.items()
    )


def grouped(users: int = 40, items: int = 60, seed: int = 5) -> pd.DataFrame:
    """Two groups of users, each with its own half of the items, and some plays anywhere."""
    rng = np.random.default_rng(seed)
    rows = []
    for user in range(users):
        own = np.arange(items // 2) + (user % 2) * (items // 2)
        liked = np.union1d(rng.choice(own, 14, replace=False), rng.choice(items, 2, replace=False))
        rows += [(f"u{user:03d}", f"i{item:03d}", float(rng.integers(1, 20))) for item in liked]
    return pd.DataFrame(rows, columns=["user", "item", "plays"])


def plays_in_time() -> pd.DataFrame:
    rng = np.random.default_rng(8)
    pairs = grouped()
    return pairs.assign(plays=1.0, at=[DAY + pd.Timedelta(days=int(day)) for day in rng.integers(0, 100, len(pairs))])


def test_filter_counts_users_an_item_first_and_then_items_a_user() -> None:
    rows = [("a", "x"), ("b", "x"), ("a", "y"), ("b", "y"), ("c", "x"), ("c", "rare")]
    pairs = pd.DataFrame(rows, columns=["user", "item"]).assign(plays=1.0)
    kept = filtered(pairs, 2, 2)
    assert sorted(set(kept["user"])) == ["a", "b"]
    assert sorted(set(kept["item"])) == ["x", "y"]


def test_random_split_holds_out_a_fifth_of_each_user_and_nothing_twice() -> None:
    data = from_pairs(grouped())
    known, held_out = random_split(data, 0.2, 42)
    assert known.matrix.multiply(held_out).nnz == 0
    assert (known.matrix + held_out != data.matrix).nnz == 0
    counts = np.diff(data.matrix.indptr)
    assert np.diff(held_out.indptr).tolist() == [max(1, round(0.2 * count)) for count in counts]


def test_temporal_split_knows_nothing_of_later_plays_and_a_planted_leak_is_caught() -> None:
    plays = plays_in_time()
    at, end = DAY + pd.Timedelta(days=60), DAY + pd.Timedelta(days=100)
    split = temporal_split(plays, at, end, novel_only=True)
    assert not leaks(split, plays, at)
    later = plays[plays["at"] >= at]
    changed = pd.concat([plays[plays["at"] < at], later.assign(item="i000", at=later["at"] + pd.Timedelta(days=1))])
    again = temporal_split(changed, at, end, novel_only=True)
    for fit in ALL:
        assert np.array_equal(fit(split.known)(np.arange(5)), fit(again.known)(np.arange(5))), fit.__name__
    planted = split.known.matrix.tolil()
    planted[split.rows[0], split.held_out[0].indices[0]] = 1.0
    assert leaks(replace(split, known=replace(split.known, matrix=planted.tocsr())), plays, at)


def test_novel_only_holds_out_nothing_known_and_recommends_nothing_known() -> None:
    plays = plays_in_time()
    at, end = DAY + pd.Timedelta(days=50), DAY + pd.Timedelta(days=100)
    split = temporal_split(pd.concat([plays, plays.assign(at=plays["at"] + pd.Timedelta(days=45))]), at, end, novel_only=True)
    known = split.known.matrix[split.rows]
    assert known.multiply(split.held_out).nnz == 0
    perfect = np.asarray(split.held_out.todense()) + 100.0 * np.asarray((known > 0).todense())
    found = evaluate({"perfect": lambda rows: perfect[np.searchsorted(split.rows, rows)]}, {"perfect": 1.0}, split)
    assert found["perfect"].per_user["ndcg@10"].min() == found["Blend"].per_user["ndcg@10"].min() == pytest.approx(1.0)


def test_what_was_only_skipped_is_neither_novel_nor_counted_and_later_plays_tell_nothing() -> None:
    plays = plays_in_time().assign(artist=lambda rows: "artist " + rows["item"].str[1:2])
    at, end = DAY + pd.Timedelta(days=50), DAY + pd.Timedelta(days=100)
    held = temporal_split(plays, at, end, novel_only=True)
    user, item = held.known.users[held.rows[0]], held.known.items[held.held_out[0].indices[0]]
    skipped = pd.DataFrame({"user": [user], "item": [item], "plays": [0.0], "at": [at - pd.Timedelta(days=9)], "artist": ["a"]})
    told = temporal_split(pd.concat([plays, skipped]), at, end, novel_only=True)
    assert told.held_out.nnz == held.held_out.nnz - 1
    assert (told.known.matrix != held.known.matrix).nnz == 0
    place = np.flatnonzero(held.known.items == item)[0]
    assert not leaks(told, pd.concat([plays, skipped]), at)
    assert leaks(told, plays, at)
    assert told.known.returning[held.rows[0], place] == pytest.approx((9 + 50) ** 0.5 - 9**0.5)
    later = plays.assign(item=np.where(plays["at"] >= at, "i000", plays["item"]))
    again = temporal_split(later, at, end, novel_only=True)
    every = np.arange(len(held.known.users))
    assert np.array_equal(expected_plays(held.known)(every), expected_plays(again.known)(every))


def test_figures_do_not_depend_on_how_many_users_are_scored_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    _, test = random_protocol(from_pairs(grouped()), 1)
    scorers = {"neighbours": item_neighbours(test.known), "popular": most_popular(test.known)}
    whole = evaluate(scorers, {"neighbours": 1.0, "popular": 0.2}, test)
    monkeypatch.setattr("recommenders.protocol.USERS_AT_ONCE", 7)
    pieces = evaluate(scorers, {"neighbours": 1.0, "popular": 0.2}, test)
    for name, result in whole.items():
        assert result.coverage == pieces[name].coverage
        for measure, values in result.per_user.items():
            assert np.allclose(values, pieces[name].per_user[measure], rtol=1e-12), (name, measure)


def test_expected_plays_by_hand() -> None:
    """One user, 5 plays of 2 items: 3 of 5 come back, 2 are new."""
    users, items = np.array(["u", "v"]), np.array(["a", "b", "c"])
    played = sparse.csr_matrix([[4.0, 1.0, 0.0], [0.0, 0.0, 1.0]])
    returning = sparse.csr_matrix([[3.0, 1.0, 0.0], [0.0, 0.0, 1.0]])
    # a and c are one artist's, b another's.
    artists = sparse.csr_matrix([[1.0, 0.0], [0.0, 1.0], [1.0, 0.0]])
    data = Interactions(users, items, played, played=played, returning=returning, artists=artists)
    shares = expected_plays(data)(np.array([0]))[0]
    new, of_artist, anywhere = 0.4, 0.4 * 0.8 * 1 / (2 + 5), 0.4 * 0.2 / 3
    assert shares == pytest.approx(
        [0.6 * 3 / 4 + of_artist / 2 + anywhere, 0.6 * 1 / 4 + of_artist + anywhere, of_artist / 2 + anywhere]
    )
    assert shares.sum() == pytest.approx(0.6 + new * 0.8 * 2 / 7 + new * 0.2)
    with pytest.raises(ValueError, match="need all plays"):
        expected_plays(replace(data, played=None))


@pytest.mark.parametrize("fit", ALL, ids=lambda fit: fit.__name__)
def test_names_and_order_of_rows_change_nothing(fit: Recommender) -> None:
    pairs = grouped()
    shuffled = pairs.sample(frac=1.0, random_state=1)
    # The ids keep their order, so that ties are broken alike.
    renamed = pairs.assign(user="x" + pairs["user"], item="y" + pairs["item"])
    first, second, third = (fit(from_pairs(rows))(np.arange(40)) for rows in (pairs, shuffled, renamed))
    assert np.array_equal(first, second)
    assert np.array_equal(first, third)


def test_scaling_the_weights_of_a_blend_changes_no_ranking() -> None:
    data = from_pairs(grouped())
    parts = {"one": most_popular(data)(np.arange(40)), "two": item_neighbours(data)(np.arange(40))}
    small, large = (blended(parts, {"one": k * 0.3, "two": k * 1.1}) for k in (1.0, 7.0))
    assert np.allclose(7.0 * small, large)
    scaled = blended({"one": parts["one"] * 5.0 + 3.0, "two": parts["two"]}, {"one": 0.3, "two": 1.1})
    assert np.allclose(small, scaled)


def test_weights_are_chosen_for_what_tells_and_the_blend_beats_popularity_where_taste_is_planted() -> None:
    validation, test = random_protocol(from_pairs(grouped(80)), 1)
    scorers = {"popular": most_popular(validation.known), "neighbours": item_neighbours(validation.known)}
    truth = scores(scorers, validation.rows)
    weights = choose_weights(truth, {"popular": 1.0}, validation.held_out, validation.excluded)
    assert weights.get("neighbours", 0.0) > 0
    factors = AlsSettings(rank=4, iterations=8)

    def few(matrix: object, settings: AlsSettings) -> tuple[np.ndarray, np.ndarray]:
        return als.factorise(matrix, replace(factors, seed=settings.seed))

    results, _ = compare(validation, test, lambda data: all_models(data, few, seen_too=False))
    quality = {name: result.per_user["ndcg@10"].mean() for name, result in results.items()}
    assert quality["Blend"] > 1.2 * quality["MostPop"]
    assert quality["ALS log1p"] > 1.1 * quality["MostPop"]


def test_als_lowers_its_loss_and_solves_its_normal_equations() -> None:
    matrix = from_pairs(grouped()).matrix
    settings = AlsSettings(rank=5, regularisation=0.5, alpha=0.5, iterations=3)

    def loss(users: np.ndarray, items: np.ndarray) -> float:
        plays = np.asarray(matrix.todense())
        error = (1.0 + settings.alpha * plays) * ((plays > 0) - users @ items.T) ** 2
        counts = (plays > 0).sum(axis=1) @ (users**2).sum(axis=1) + (plays > 0).sum(axis=0) @ (items**2).sum(axis=1)
        return float(error.sum() + settings.regularisation * counts)

    few, many = (als.factorise(matrix, replace(settings, iterations=n)) for n in (1, 6))
    assert loss(*many) < loss(*few)
    items = many[1]
    best = als.solve(matrix, items, settings)
    step = np.random.default_rng(0).normal(0, 1e-3, best.shape)
    assert loss(best, items) < min(loss(best + step, items), loss(best - step, items))


def test_ease_solves_its_constrained_problem() -> None:
    data = from_pairs(grouped())
    seen = np.asarray(data.seen.todense())
    weights = neighbours.ease_weights(data.seen, 10.0)
    assert np.all(np.diag(weights) == 0)

    def loss(candidate: np.ndarray) -> float:
        return float(((seen - seen @ candidate) ** 2).sum() + 10.0 * (candidate**2).sum())

    step = np.random.default_rng(0).normal(0, 1e-3, weights.shape)
    np.fill_diagonal(step, 0)
    assert loss(weights) < min(loss(weights + step), loss(weights - step))


def test_cosine_by_hand_and_the_strongest_neighbours_only() -> None:
    pairs = pd.DataFrame([("a", "x"), ("a", "y"), ("b", "x"), ("b", "y"), ("c", "x"), ("c", "z")], columns=["user", "item"])
    similarity = np.asarray(neighbours.cosine_similarity(from_pairs(pairs.assign(plays=1.0)).seen, 1, 5.0).todense())
    assert similarity[1, 0] == pytest.approx(2 / (6**0.5 + 5))
    assert similarity[2, 0] == 0
    assert similarity[0, 2] == pytest.approx(1 / (3**0.5 + 5))


def test_neighbours_are_the_same_in_blocks_of_any_size(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = from_pairs(grouped()).seen
    whole = [neighbours.cosine_similarity(seen, 7), neighbours.random_walk_similarity(seen, neighbours=7)]
    monkeypatch.setattr("recommenders.neighbours.ENTRIES_AT_ONCE", 500)
    pieces = [neighbours.cosine_similarity(seen, 7), neighbours.random_walk_similarity(seen, neighbours=7)]
    for one, other in zip(whole, pieces, strict=True):
        assert np.allclose(one.todense(), other.todense(), rtol=1e-12)


def test_the_strongest_of_a_column_are_kept_and_of_equal_ones_the_lowest_rows() -> None:
    rng = np.random.default_rng(2)
    dense = rng.integers(0, 4, (30, 20)).astype(float)
    kept = np.asarray(neighbours.strongest(sparse.csc_matrix(dense), 5).todense())
    for column in range(20):
        order = sorted((row for row in range(30) if dense[row, column]), key=lambda row: (-dense[row, column], row))[:5]
        assert np.flatnonzero(kept[:, column]).tolist() == sorted(order)
        assert np.array_equal(kept[order, column], dense[order, column])


@pytest.mark.parametrize(
    ("file_format", "text", "problem"),
    [("triplets", "a\tx\tthree\n", "not a number"), ("listens", "who,what\na,b\n", "no column"), ("other", "", "not one of")],
)
def test_files_of_another_format_are_refused(tmp_path: Path, file_format: str, text: str, problem: str) -> None:
    path = tmp_path / "plays.csv"
    path.write_text(text)
    with pytest.raises(ValueError, match=problem):
        read_pairs(path, file_format)


def test_an_export_of_listens_tells_skips_and_artists_and_a_plain_file_does_not(tmp_path: Path) -> None:
    plays = pd.DataFrame(
        {
            "user_id": ["me", "me", "me"],
            "track_id": ["a", "b", "a"],
            "played_at": [DAY, DAY + pd.Timedelta(hours=1), DAY + pd.Timedelta(hours=2)],
            "is_listen": [True, False, True],
            "is_skip": [False, True, True],
            "artist_key": ["x", None, "x"],
        }
    )
    plays.to_parquet(tmp_path / "export.parquet")
    plays[["user_id", "track_id", "played_at"]].to_csv(tmp_path / "plain.csv", index=False)
    told, plain = (read_pairs(tmp_path / name, "listens") for name in ("export.parquet", "plain.csv"))
    assert told["plays"].tolist() == [1.0, 0.0, 0.0]
    assert told["artist"].isna().tolist() == [False, True, False]
    assert plain["plays"].tolist() == [1.0, 1.0, 1.0]
    assert "artist" not in plain
    assert told["at"].tolist() == plain["at"].tolist() == plays["played_at"].tolist()
    assert filtered(told, 1, 1)["item"].tolist() == ["a", "a"]


def test_interactions_of_nobody_are_scored_without_a_crash() -> None:
    nobody = from_pairs(pd.DataFrame({"user": [], "item": [], "plays": []}))
    assert isinstance(nobody, Interactions)
    for fit in (*ALL, als_model(als.factorise, AlsSettings(rank=2))):
        found: Callable[[np.ndarray], np.ndarray] = fit(nobody)
        assert found(np.arange(0)).shape == (0, 0)
