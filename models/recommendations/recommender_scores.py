"""How recommenders perform on later plays: metrics by population, for the models that store them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import TypedDict

import numpy as np

from models.common.metric import Metric
from models.recommendations.listening_pairs import LEAST_LISTENERS, Listens, most_played
from music.ranking import DIGITS
from music.splits import TEST
from recommenders import metrics
from recommenders.expected import expected_plays
from recommenders.interactions import Interactions
from recommenders.models import (
    Recommender,
    Scorer,
    artist_loyalty,
    ease,
    item_neighbours,
    most_popular,
    personally_played,
    personally_popular,
    random_walk,
    recently_popular,
)
from recommenders.protocol import RankingFigures, compare, fitted_once, next_plays

PROTOCOLS = {"all next plays": False, "novel only": True}
MOST_USERS = (500, 2_000)
"""The most listeners of the validation window, for choosing weights, and of the test window."""
EASE_TRACKS = 5_000
REPEATS = ("PersonalPop", "PersonalPop with skips")
BASELINES = ("MostPop", "RecentPop", *REPEATS, "ItemKNN", "RP3beta", "EASE", "ALS")
SHOWN = ("ndcg@10", "recall@20", "map@10", "novelty@10", "diversity@10")


def candidates(tracks: int) -> dict[str, Recommender]:
    """The models without Java that can handle this many tracks."""
    models: dict[str, Recommender] = {
        "MostPop": most_popular,
        "RecentPop": recently_popular,
        "PersonalPop": personally_popular,
        "ItemKNN": capped(item_neighbours),
        "RP3beta": capped(random_walk),
        "PersonalPop with skips": personally_played,
        "Artists": artist_loyalty,
        "Expected plays": expected_plays,
    }
    return models | ({"EASE": ease} if tracks <= EASE_TRACKS else {})


def capped(fit: Recommender) -> Recommender:
    """A model of items that learns from, and scores by, each listener's most played tracks only."""

    def fit_capped(data: Interactions) -> Scorer:
        return fit(most_played(data))

    return fit_capped


def compared(
    listens: Listens, population: str, extra: Mapping[str, Recommender] | None = None
) -> tuple[list[Metric], dict[str, dict[str, float]]]:
    """Metric rows of every model and of their blend by protocol, and the blend's weights, chosen on the validation window.

    Known is what was played before the window by listeners who have plays in it. Tracks that nobody knew before are not
    held out. There are no results for a population with fewer than LEAST_LISTENERS, whose members cannot be distinguished.
    """
    rows: list[Metric] = []
    weights: dict[str, dict[str, float]] = {}
    if listens.listeners < LEAST_LISTENERS:
        return rows, weights
    known = {window: listens.known(window) for window in (1, 2)}
    models = fitted_once(candidates(max(len(data.items) for data in known.values())) | dict(extra or {}))
    for protocol, novel_only in PROTOCOLS.items():
        splits = [
            next_plays(known[window], listens.within(window), novel_only=novel_only, most_users=MOST_USERS[window - 1])
            for window in (1, 2)
        ]
        usable = {name: fit for name, fit in models.items() if name not in REPEATS or not novel_only}
        if any(len(split.rows) == 0 for split in splits):
            continue
        results, weights[protocol] = compare(splits[0], splits[1], lambda _, usable=usable: usable)  # type: ignore[misc]
        rows += metric_rows(results, f"temporal, {protocol}", population, len(known[2].items))
    return rows, weights


def metric_rows(results: Mapping[str, RankingFigures], protocol: str, population: str, tracks: int) -> list[Metric]:
    """Rows for gold.recommendation_metrics, and for gold.model_performance_metrics: value, interval, best baseline, skill."""
    rows: list[Metric] = []
    own = [name for name in results if name not in BASELINES]
    for measure in SHOWN:
        values = {name: result.per_user[measure] for name, result in results.items()}
        best = max((name for name in values if name in BASELINES), key=lambda name: (round(values[name].mean(), DIGITS), name))
        for name, drawn in values.items():
            figure = metrics.interval(drawn) if measure == "novelty@10" else metrics.interval_of_shares(drawn)
            rows.append(
                Metric(
                    population,
                    f"{TEST}, {protocol}",
                    f"{measure}: {name}",
                    **asdict(figure),
                    baseline=best,
                    baseline_value=float(values[best].mean()),
                    **skill(drawn, values[best], wanted=name in own),
                    note=f"of {tracks:,} tracks known before",
                    protocol=protocol,
                )
            )
    for name, result in results.items():
        rows.append(
            Metric(
                population,
                f"{TEST}, {protocol}",
                f"coverage@10: {name}",
                value=result.coverage,
                n=len(result.per_user["ndcg@10"]),
                note=f"of {tracks:,} tracks",
                protocol=protocol,
            )
        )
    return rows


class Skill(TypedDict):
    """The share by which a model beats the best baseline, with its 95% interval; None if not requested."""

    skill: float | None
    skill_low: float | None
    skill_high: float | None


def skill(values: np.ndarray, baseline: np.ndarray, *, wanted: bool) -> Skill:
    """The share by which a model beats the best baseline, with the interval of the paired difference over listeners or tracks."""
    base = float(baseline.mean())
    if not wanted or base <= 0:
        return {"skill": None, "skill_low": None, "skill_high": None}
    drawn = metrics.interval(values - baseline)
    return {"skill": drawn.value / base, "skill_low": drawn.low / base, "skill_high": drawn.high / base}
