"""How models are compared: learn, choose the blend's weights on a validation part, report once on what was held out.

Every model ranks all items; users without a prediction count as zero.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import scipy

from recommenders import metrics
from recommenders.blend import blended, choose_weights
from recommenders.expected import activation, expected_plays
from recommenders.interactions import Interactions, Matrix, from_pairs, matrix_of, random_split
from recommenders.models import TUNED, TUNED_BINARY, Factorise, Recommender, Scorer, als, artist_loyalty, baselines

BLEND = "Blend"
ALS = "ALS log1p"
START = {"ALS average": 0.8, "ALS 128": 0.2, "EASE normalised": 0.3}
"""Weights from which the blend's are sought: the best of HetRec-2011 splits with other seeds than the reported ones."""
LENGTH = 500
USERS_AT_ONCE = 500
RECENT_DAYS = 30


@dataclass(frozen=True)
class Split:
    """What is known; of the users `rows` of it, what is held out and what may not be recommended (rows x items)."""

    known: Interactions
    rows: np.ndarray
    held_out: Matrix
    excluded: Matrix | None


def split_of(known: Interactions, held_out: Matrix, excluded: Matrix | None, most: int | None = None) -> Split:
    """The users with something held out, at most `most` of them, spread evenly over all."""
    rows = np.flatnonzero(np.diff(held_out.indptr) > 0)
    if most is not None and len(rows) > most:
        rows = rows[np.unique(np.linspace(0, len(rows) - 1, most).astype(int))]
    return Split(known, rows, held_out[rows], None if excluded is None else excluded[rows])


@dataclass(frozen=True)
class RankingFigures:
    """The figures of one model on one split: per user with something held out, and over all of them."""

    per_user: Mapping[str, np.ndarray]
    coverage: float


def all_models(data: Interactions, factorise: Factorise | None, *, seen_too: bool) -> dict[str, Recommender]:
    """The baselines and, with a factorisation, ALS of several kinds, by name."""
    models = dict(baselines(data, seen_too=seen_too))
    if data.played is not None:
        models |= {"Artists": artist_loyalty, "Expected plays": expected_plays}
    if factorise is not None:
        models[ALS] = als(factorise, TUNED)
        models["ALS binary"] = als(factorise, TUNED_BINARY, binary=True)
        models["ALS average"] = als(factorise, TUNED, seeds=(0, 1, 2, 3))
        models["ALS 128"] = als(factorise, replace(TUNED, rank=128))
    return models


def fitted_once(models: Mapping[str, Recommender]) -> dict[str, Recommender]:
    """The same models, each fitted once to the same interactions."""
    known: dict[tuple[str, int], tuple[Interactions, Scorer]] = {}

    def once(name: str, fit: Recommender) -> Recommender:
        def remembering(data: Interactions) -> Scorer:
            if (name, id(data)) not in known:
                known[name, id(data)] = (data, fit(data))
            return known[name, id(data)][1]

        return remembering

    return {name: once(name, fit) for name, fit in models.items()}


def remembered(factorise: Factorise) -> Factorise:
    """The same factorisation, each matrix and settings computed once."""
    known: dict[tuple[int, object], tuple[np.ndarray, np.ndarray]] = {}

    def once(matrix: Matrix, settings: object) -> tuple[np.ndarray, np.ndarray]:
        key = (hash((matrix.data.tobytes(), matrix.indices.tobytes(), matrix.indptr.tobytes())), settings)
        if key not in known:
            known[key] = factorise(matrix, settings)  # type: ignore[arg-type]
        return known[key]

    return once


def compare(
    validation: Split, test: Split, models_of: Callable[[Interactions], Mapping[str, Recommender]]
) -> tuple[dict[str, RankingFigures], dict[str, float]]:
    """Every model's figures on the test split and the blend's, with the weights that were chosen on the validation split."""
    parts = scores(fitted(validation, models_of), validation.rows)
    start = {name: weight for name, weight in START.items() if name in parts} or {next(iter(parts)): 1.0}
    weights = choose_weights(parts, start, validation.held_out, validation.excluded)
    return evaluate(fitted(test, models_of), weights, test), weights


def fitted(split: Split, models_of: Callable[[Interactions], Mapping[str, Recommender]]) -> dict[str, Scorer]:
    """The models, having learned from what is known."""
    return {name: fit(split.known) for name, fit in models_of(split.known).items()}


def scores(scorers: Mapping[str, Scorer], rows: np.ndarray) -> dict[str, np.ndarray]:
    """Scores (rows x items) by model; single precision is enough to rank."""
    return {name: scorer(rows).astype(np.float32) for name, scorer in scorers.items()}


def evaluate(scorers: Mapping[str, Scorer], weights: Mapping[str, float], split: Split) -> dict[str, RankingFigures]:
    """The figures of each model and of their blend on a split: some users at a time, as a score of every item takes room."""
    figures: dict[str, list[Mapping[str, np.ndarray]]] = {name: [] for name in (*scorers, BLEND)}
    shown: dict[str, list[np.ndarray]] = {name: [] for name in figures}
    for first in range(0, max(len(split.rows), 1), USERS_AT_ONCE):
        part = slice(first, first + USERS_AT_ONCE)
        rows, held_out = split.rows[part], split.held_out[part]
        excluded = None if split.excluded is None else split.excluded[part]
        told = scores(scorers, rows)
        told[BLEND] = blended({name: told[name] for name in weights}, weights)
        for name, values in told.items():
            ranking = metrics.ranked(values, LENGTH, excluded)
            figures[name].append(metrics.per_user(ranking, held_out, split.known.matrix))
            shown[name].append(ranking[:, :10])
    items = split.known.matrix.shape[1]
    return {
        name: RankingFigures(
            {measure: np.concatenate([one[measure] for one in found]) for measure in found[0]},
            metrics.coverage(np.concatenate(shown[name]), items, 10),
        )
        for name, found in figures.items()
    }


def random_protocol(data: Interactions, seed: int) -> tuple[Split, Split]:
    """Validation and test split of the random 80/20 protocol; what a user knows is not recommended again."""
    known, held_out = random_split(data, 0.2, seed)
    earlier, validation = random_split(known, 0.2, seed)
    return split_of(earlier, validation, earlier.matrix), split_of(known, held_out, known.matrix)


def hidden_protocol(visible: pd.DataFrame, hidden: pd.DataFrame, seed: int) -> tuple[Split, Split]:
    """Validation within what is visible (a fifth of a user's pairs: more would leave too sparse a rest); test on the hidden."""
    items = np.union1d(visible["item"].to_numpy(), hidden["item"].to_numpy())
    data = from_pairs(visible, np.union1d(visible["user"].to_numpy(), hidden["user"].to_numpy()), items)
    held_out = unknown(matrix_of(hidden, data.users, data.items), data.matrix)
    earlier, validation = random_split(data, 0.2, seed)
    return split_of(earlier, validation, earlier.matrix), split_of(data, held_out, data.matrix)


def temporal_split(
    plays: pd.DataFrame, at: pd.Timestamp, until: pd.Timestamp, *, novel_only: bool, most_users: int | None = None
) -> Split:
    """Known: plays (user, item, plays, at) before `at`; held out: items played in [at, until).

    Users and items are those known before: nothing of the later plays decides who and what is ranked. Plays with 0 `plays`
    (skipped or short) are known to have been played, and nothing more; `artist`, where it is told, is the item's.
    """
    before, after = plays[plays["at"] < at], plays[(plays["at"] >= at) & (plays["at"] < until)]
    counted = before[before["plays"] > 0]
    known = with_recent(from_pairs(counted), counted[counted["at"] >= at - pd.Timedelta(days=RECENT_DAYS)])
    if "artist" in plays:
        day = pd.Timedelta(days=1)
        told = before.assign(played=1.0, returning=activation((at - before["at"]) / day, (until - at) / day))
        known = with_all_plays(known, told)
    return next_plays(known, after[after["plays"] > 0], novel_only=novel_only, most_users=most_users)


def with_recent(known: Interactions, latest: pd.DataFrame) -> Interactions:
    """Interactions that know which plays are recent."""
    return replace(known, recent=matrix_of(latest, known.users, known.items))


def with_all_plays(known: Interactions, before: pd.DataFrame) -> Interactions:
    """Interactions that know every play: rows (user, item, artist, played, returning), those of other users and items apart.

    An item told with several artists is the last one's in the order of their names; "" and null are none.
    """
    played, returning = (matrix_of(before, known.users, known.items, name) for name in ("played", "returning"))
    named = before[before["artist"].notna() & (before["artist"] != "")]
    labels = named.groupby("item")["artist"].max().reindex(known.items)
    codes, names = pd.factorize(labels, sort=True)
    inside = codes >= 0
    place = (np.flatnonzero(inside), codes[inside])
    artists = scipy.sparse.coo_matrix((np.ones(len(place[0])), place), shape=(len(codes), len(names))).tocsr()
    return replace(known, played=played, returning=returning, artists=artists)


def next_plays(known: Interactions, after: pd.DataFrame, *, novel_only: bool, most_users: int | None = None) -> Split:
    """Held out: the items played after, if `novel_only` those the user never played, who then gets no played ones recommended."""
    held_out = matrix_of(after, known.users, known.items)
    if novel_only:
        return split_of(known, unknown(held_out, known.heard), known.heard, most_users)
    return split_of(known, held_out, None, most_users)


def unknown(held_out: Matrix, known: Matrix) -> Matrix:
    """What of `held_out` is not in `known`."""
    mask = known.copy()
    mask.data = np.ones_like(mask.data)
    return (held_out - held_out.multiply(mask)).tocsr()
