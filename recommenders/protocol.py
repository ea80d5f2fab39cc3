"""How models are compared: learn, choose the blend's weights on a validation part, report once on what was held out.

Every model ranks all items; users without a prediction count as zero.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from recommenders import metrics
from recommenders.blend import blended, choose_weights
from recommenders.interactions import Interactions, Matrix, from_pairs, matrix_of, random_split
from recommenders.models import TUNED, TUNED_BINARY, Factorise, Recommender, Scorer, als, baselines

BLEND = "Blend"
ALS = "ALS log1p"
START = {"ALS average": 0.8, "ALS 128": 0.2, "EASE normalised": 0.3}
"""Weights from which the blend's are sought: the best of HetRec-2011 splits with other seeds than the reported ones."""
LENGTH = 500
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
class Result:
    """The figures of one model on one split: per user with something held out, and over all of them."""

    per_user: Mapping[str, np.ndarray]
    coverage: float


def all_models(data: Interactions, factorise: Factorise | None, *, seen_too: bool) -> dict[str, Recommender]:
    """The baselines and, with a factorisation, ALS of several kinds, by name."""
    models = dict(baselines(data, seen_too=seen_too))
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
) -> tuple[dict[str, Result], dict[str, float]]:
    """Every model's figures on the test split and the blend's, with the weights that were chosen on the validation split."""
    parts = scores(validation, models_of(validation.known))
    start = {name: weight for name, weight in START.items() if name in parts} or {next(iter(parts)): 1.0}
    weights = choose_weights(parts, start, validation.held_out, validation.excluded)
    parts = scores(test, models_of(test.known))
    parts[BLEND] = blended({name: parts[name] for name in weights}, weights)
    return {name: evaluate(part, test) for name, part in parts.items()}, weights


def scores(split: Split, models: Mapping[str, Recommender]) -> dict[str, np.ndarray]:
    """Scores (the split's users x items) by model; single precision is enough to rank."""
    return {name: fit(split.known)(split.rows).astype(np.float32) for name, fit in models.items()}


def evaluate(part: np.ndarray, split: Split) -> Result:
    """The figures of a model's scores on a split."""
    ranking = metrics.ranked(part, LENGTH, split.excluded)
    figures = metrics.per_user(ranking, split.held_out, split.known.matrix)
    return Result(figures, metrics.coverage(ranking, part.shape[1], 10))


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


def temporal_split(plays: pd.DataFrame, at: pd.Timestamp, until: pd.Timestamp, *, novel_only: bool) -> Split:
    """Known: plays (user, item, plays, at) before `at`; held out: items played in [at, until).

    Users and items are those known before: nothing of the later plays decides who and what is ranked.
    """
    before, after = plays[plays["at"] < at], plays[(plays["at"] >= at) & (plays["at"] < until)]
    known = with_recent(from_pairs(before), before[before["at"] >= at - pd.Timedelta(days=RECENT_DAYS)])
    return next_plays(known, after, novel_only=novel_only)


def with_recent(known: Interactions, latest: pd.DataFrame) -> Interactions:
    """Interactions that know which plays are recent."""
    return replace(known, recent=matrix_of(latest, known.users, known.items))


def next_plays(known: Interactions, after: pd.DataFrame, *, novel_only: bool, most_users: int | None = None) -> Split:
    """Held out: the items played after, if `novel_only` those new to the user, who then gets no known ones recommended."""
    held_out = matrix_of(after, known.users, known.items)
    if novel_only:
        return split_of(known, unknown(held_out, known.matrix), known.matrix, most_users)
    return split_of(known, held_out, None, most_users)


def leaks(split: Split, plays: pd.DataFrame, at: pd.Timestamp) -> bool:
    """Whether the known part holds anything that is not played before `at`."""
    before = plays[plays["at"] < at]
    allowed = matrix_of(before, split.known.users, split.known.items)
    return bool(abs(split.known.matrix - allowed).sum() > 0)


def unknown(held_out: Matrix, known: Matrix) -> Matrix:
    """What of `held_out` is not in `known`."""
    mask = known.copy()
    mask.data = np.ones_like(mask.data)
    return (held_out - held_out.multiply(mask)).tocsr()
