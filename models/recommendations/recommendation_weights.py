"""How well each source of recommendations predicts what a listener hears for the first time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Any

import numpy as np
import pandas as pd
import scipy
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from lakehouse.declare import Fitted, Model, Retrain, model
from models.common.catalogue_share import learned_from
from models.common.metric import Metric, rows_of
from models.recommendations.candidate_scores import Shelf, affinity_of, baselines, shelf_of, source_scores
from models.recommendations.listening_pairs import LEAST_LISTENERS, Listens, listens_of
from models.recommendations.recommender_scores import skill
from music.audio_features import CONTINUOUS
from music.populations import POPULATIONS, REAL
from music.ranking import DIGITS
from music.splits import TEST
from recommenders import metrics
from recommenders.interactions import Matrix, from_pairs, matrix_of
from recommenders.protocol import unknown

EQUAL = {
    "content": 1.0,
    "artist": 1.0,
    "similar_artist": 0.5,
    "genre": 0.5,
    "listeners": 1.0,
    "collaborative": 1.0,
    "popular": 0.1,
}
"""The weights if nothing can be learned, because there is no listener or no later play of a new track."""
STEPS = (0.0, 0.1, 0.3, 1.0, 3.0)
LENGTH = 200
TESTED = 200
OURS = "recommendations"
ALONE = {"similar_artist": "similar artists alone"}
"""Sources with a row of their own in the metrics: what others say of artists must show that it helps."""
PROTOCOL = "temporal, never heard, whole catalogue"


@model("recommendation_weights", kind="blend", retrain=Retrain(share=0.1, days=90))
def recommendation_weights(
    listening_with_features: DataFrame,
    users: DataFrame,
    catalogue: DataFrame,
    catalogue_recordings: DataFrame,
    similar_tracks: DataFrame,
    artist_neighbours: DataFrame,
    collaborative: Model | None,
) -> Fitted:
    """Weights of the sources per population, chosen on the catalogue tracks that listeners heard first in a validation window.

    The windows are the listens between 64% and 80%, and those after. Weights are chosen one after the other by NDCG@200.
    EQUAL is kept if the gain is not significant, or with fewer than 20 listeners: the hundred catalogue tracks that one
    listener discovers in a year are too few for a choice, and the catalogue's popularity is more recent than many of them.
    In that case the test window is the last year. It is used once, against popularity, popularity in the listener's genres,
    and tracks that sound like their taste.
    """
    sound = learned_from(catalogue).select("track_id", *CONTINUOUS)
    listed = catalogue_recordings.where("is_first").join(sound, on="track_id", how="inner")
    labels = listed.select("track_id", "artist_key", "genres", "popularity", *CONTINUOUS).toPandas()
    near = artist_neighbours.select("artist_key", "neighbour_key", "score").toPandas()
    shelf = shelf_of(labels, similar_tracks.select("track_id", "similar_track_id", "score").toPandas(), near)
    places = listed_places(listening_with_features, listed)
    weights: dict[str, Mapping[str, float]] = {}
    scores: list[Metric] = []
    splits: dict[str, Any] = {}
    for population in POPULATIONS:
        weights[population] = EQUAL
        listens = listens_of(listening_with_features, users, population)
        if listens.pairs.empty or not len(shelf.ids):
            continue
        known = known_of(listens, places)
        # What is said of artists is about people's taste: it is not scored on made-up listeners.
        told = shelf if population == REAL else replace(shelf, near_artists=shelf.near_artists * 0)
        told.near_artists.eliminate_zeros()
        weights[population], population_scores = learned(known, told, population, collaborative)
        scores += population_scores
        splits[population] = {"validation_from": listens.bounds[0], "test_from": listens.bounds[1]}
    return Fitted(parameters={"weights": weights}, splits=splits, metrics=rows_of(scores))


def listed_places(listening_with_features: DataFrame, listed: DataFrame) -> pd.DataFrame:
    """Rows (item, place): of each heard track whose recording `listed` has, the id that stands for its recording."""
    first = listed.select("recording", F.col("track_id").alias("place"))
    heard = listening_with_features.select("track_id", F.col("recording_id").alias("recording")).distinct()
    return heard.join(first, on="recording", how="inner").select(F.col("track_id").alias("item"), "place").toPandas()


def known_of(listens: Listens, places: pd.DataFrame) -> Listens:
    """The listens and plays of tracks that the catalogue knows, by the id that stands for the recording."""
    pairs, played = (
        rows.merge(places, on="item", how="inner").drop(columns="item").rename(columns={"place": "item"})
        for rows in (listens.pairs, listens.played)
    )
    return replace(listens, pairs=pairs.sort_values(["user", "item", "window"], ignore_index=True), played=played)


def learned(
    listens: Listens, shelf: Shelf, population: str, collaborative: Model | None
) -> tuple[Mapping[str, float], list[Metric]]:
    """The weights of a population, and their results on the test window, next to those of the baselines."""
    tests = {}
    for window in (1, 2):
        tests[window] = HeldOutWindow.of(listens, shelf, population, window, collaborative)
    if tests[1] is None:
        return EQUAL, []
    weights = tests[1].chosen_weights()
    return weights, [] if tests[2] is None else tests[2].rows(weights, shelf, population)


class HeldOutWindow:
    """The new tracks of some listeners in a window, and each source's scores for them from what was known before."""

    def __init__(self, parts: Mapping[str, Matrix], held_out: Matrix, heard: Matrix, affinity: Matrix, rows: np.ndarray) -> None:
        self.held_out, self.heard, self.affinity, self.rows_of = held_out, heard, affinity, rows
        unheard = {name: unknown(part, heard) for name, part in parts.items()}
        pattern = sum(abs(part) for part in unheard.values()).tocoo()
        self.user, self.item = pattern.row, pattern.col
        self.values = {name: np.asarray(_scaled(part)[self.user, self.item]).ravel() for name, part in unheard.items()}
        self.wanted = np.asarray((held_out > 0)[self.user, self.item]).ravel()

    @classmethod
    def of(
        cls, listens: Listens, shelf: Shelf, population: str, window: int, collaborative: Model | None
    ) -> HeldOutWindow | None:
        """The test of a window; None if no listener known before heard a track in it that they had never played or skipped."""
        before, after = listens.before(window), listens.within(window)
        users = np.unique(before["user"].to_numpy())
        affinity = affinity_of(before, listens.bounds[window - 1], users, shelf.ids)
        heard = matrix_of(listens.played[listens.played["window"] < window], users, shelf.ids, "played")
        held_out = unknown(matrix_of(after, users, shelf.ids), heard)
        rows = np.flatnonzero(np.diff(held_out.indptr) > 0)
        if not len(rows):
            return None
        rows = rows[np.unique(np.linspace(0, len(rows) - 1, min(TESTED, len(rows))).astype(int))]
        everybody = affinity if len(users) >= LEAST_LISTENERS else None
        parts = source_scores(shelf, affinity, heard, everybody, rows)
        if collaborative is not None and everybody is not None:
            told = collaborative.arrow("earlier").to_pandas()
            told = told[(told["population"] == population) & (told["window"] == window)]
            pairs = pd.DataFrame({"user": told["user_id"], "item": told["track_id"], "plays": told["score"]})
            parts["collaborative"] = from_pairs(pairs, users, shelf.ids).matrix[rows]
        return cls(parts, held_out[rows], heard[rows], affinity, rows)

    def ranking(self, weights: Mapping[str, float]) -> np.ndarray:
        """Listeners x LENGTH: the best candidates by weighted sum; ties go to the lowest id."""
        score = np.asarray(sum(weights.get(name, 0.0) * value for name, value in self.values.items())).round(DIGITS)
        kept = np.flatnonzero(score > 0)
        order = kept[np.lexsort((self.item[kept], -score[kept], self.user[kept]))]
        user = self.user[order]
        place = np.arange(len(order)) - np.searchsorted(user, user)
        ranking = np.full((self.held_out.shape[0], LENGTH), metrics.NOTHING)
        inside = place < LENGTH
        ranking[user[inside], place[inside]] = self.item[order][inside]
        return ranking

    def hits(self, weights: Mapping[str, float]) -> np.ndarray:
        """Whether each place of the ranking is held out."""
        return metrics.hits(self.ranking(weights), self.held_out)

    def quality(self, weights: Mapping[str, float]) -> float:
        """Mean NDCG@LENGTH."""
        return round(float(metrics.ndcg(self.hits(weights), np.diff(self.held_out.indptr), LENGTH).mean()), DIGITS)

    def chosen_weights(self) -> dict[str, float]:
        """The best weights, or EQUAL if their gain could be chance (95% interval of the paired difference)."""
        equal, relevant = {name: EQUAL[name] for name in self.values}, np.diff(self.held_out.indptr)
        if len(relevant) < LEAST_LISTENERS:
            return equal
        best = self.best_weights()
        gained = [metrics.ndcg(self.hits(weights), relevant, LENGTH) for weights in (best, equal)]
        return best if metrics.interval(gained[0] - gained[1]).low > 0 else equal

    def best_weights(self) -> dict[str, float]:
        """Starting from EQUAL, each source's weight in turn is set to the best of STEPS, twice over; ties go to the lowest."""
        weights = {name: value for name, value in EQUAL.items() if name in self.values}
        for _ in range(2):
            for name in sorted(weights):
                tried = [(self.quality(weights | {name: step}), -step) for step in STEPS]
                weights[name] = -max(tried)[1]
        # Popularity fills the lists of who has nothing else, so it always weighs something.
        return weights | {"popular": max(weights["popular"], 1e-3)}

    def rows(self, weights: Mapping[str, float], shelf: Shelf, population: str) -> list[Metric]:
        """Metrics of the recommendations and the baselines on this window."""
        rankings = {name: metrics.ranked(found, LENGTH, self.heard) for name, found in self._baselines(shelf).items()}
        rankings[OURS] = self.ranking(weights)
        alone = {label: self.ranking({name: 1.0}) for name, label in ALONE.items() if name in self.values}
        rankings |= alone
        relevant = np.diff(self.held_out.indptr)
        found = {name: metrics.hits(ranking, self.held_out) for name, ranking in rankings.items()}
        many = len(relevant) >= LEAST_LISTENERS
        rows: list[Metric] = []
        for measure, k in (("recall@50", 50), (f"recall@{LENGTH}", LENGTH)):
            drawn = {
                name: metrics.recall(found[name], relevant, k) if many else by_track(ranking[:, :k], self.held_out)
                for name, ranking in rankings.items()
            }
            simple = [name for name in drawn if name != OURS and name not in alone]
            best = max(simple, key=lambda name: (round(drawn[name].mean(), DIGITS), name))
            for name, values in drawn.items():
                figure = metrics.interval_of_shares(values)
                rows.append(
                    Metric(
                        population,
                        f"{TEST}, {PROTOCOL}",
                        f"{measure}: {name}",
                        **asdict(figure),
                        baseline=best,
                        baseline_value=float(drawn[best].mean()),
                        **skill(values, drawn[best], wanted=name == OURS or name in alone),
                        note=f"{int(relevant.sum()):,} tracks new to {_listeners(len(relevant))}, of {len(shelf.ids):,}; "
                        f"n counts {'listeners' if many else 'tracks'}",
                        protocol=PROTOCOL,
                    )
                )
        return rows

    def _baselines(self, shelf: Shelf) -> Mapping[str, np.ndarray]:
        return baselines(shelf, self.affinity, self.rows_of)


def _listeners(number: int) -> str:
    return f"{number:,} listener" if number == 1 else f"{number:,} listeners"


def by_track(ranking: np.ndarray, held_out: Matrix) -> np.ndarray:
    """1 for each held-out track that was found, else 0; resampled if there are few listeners."""
    found = [np.isin(held_out[row].indices, places) for row, places in enumerate(ranking)]
    return np.concatenate(found).astype(float)


def _scaled(part: Matrix) -> Matrix:
    """Each row divided by its maximum; negative values count as 0."""
    positive = part.maximum(0)
    top = np.asarray(positive.max(axis=1).todense()).ravel()
    return (scipy.sparse.diags(np.divide(1.0, top, out=np.zeros_like(top), where=top > 0)) @ positive).tocsr()
