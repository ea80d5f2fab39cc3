"""How well moods are classified: scores on tracks and listens, confusion, calibration, importances."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from features.mood_design import AUDIO, encoded
from models.common.evaluation import cluster_sums, diagnostic, estimates
from models.common.metric import Metric
from models.moods.mood_classifier import SEED, Classifier, Floats, Ints, Tracks, by_mood
from music.bootstrap import Statistic
from music.moods import MOODS
from music.populations import CATALOGUE
from music.splits import TEST

MIN_HEARD = 20
"""The fewest tracks of test artists in a population's listens for which they are scored."""
IMPORTANCE_ROWS = 4_000


def log_loss(probability: Floats, moods: Ints) -> float:
    return float(-np.log(np.clip(probability[np.arange(len(moods)), moods], 1e-12, 1)).mean())


def scored(
    tracks: Tracks,
    asked: NDArray[np.bool_],
    probability: Floats,
    rivals: Mapping[str, Ints],
    listens: Mapping[str, Mapping[str, int]],
) -> list[Metric]:
    """Metrics on the given tracks, counted once, then weighted by each population's listens; the first row is the accuracy."""
    actual, artists = tracks.moods[asked], tracks.table["artist_key"].to_numpy(zero_copy_only=False)[asked].astype(str)
    guesses = {"": probability.argmax(axis=1), **{f": {name}": guess for name, guess in rivals.items()}}
    rows = compared(TEST, CATALOGUE, actual, guesses, np.ones(len(actual)), artists)
    loss, gap = log_loss(probability, actual), _calibration_error(probability, actual)
    rows += [
        Metric(CATALOGUE, TEST, "log loss", value=loss, n=len(actual)),
        Metric(CATALOGUE, TEST, "expected calibration error", value=gap, n=len(actual)),
    ]
    ids = tracks.table["track_id"].to_numpy(zero_copy_only=False)[asked]
    for name, counted in listens.items():
        weights = np.array([counted.get(track, 0) for track in ids], dtype=np.float64)
        heard = weights > 0
        if heard.sum() >= MIN_HEARD:
            own = {suffix: guess[heard] for suffix, guess in guesses.items()}
            rows += compared("test_listens", name, actual[heard], own, weights[heard], artists[heard])
    return rows


def compared(
    split: str, population: str, actual: Ints, guesses: Mapping[str, Ints], weights: Floats, artists: NDArray[Any]
) -> list[Metric]:
    """Accuracy and macro F1 of each guess, intervals over artists, and how far the first is above the forest (skill)."""
    size = len(MOODS)
    columns: list[Floats] = [np.where(actual == mood, weights, 0.0) for mood in range(size)]
    statistics: dict[str, Statistic] = {}
    for i, (suffix, guess) in enumerate(guesses.items()):
        start = size + 2 * size * i
        columns += [np.where(guess == mood, weights, 0.0) for mood in range(size)]
        columns += [np.where((guess == mood) & (actual == mood), weights, 0.0) for mood in range(size)]
        statistics |= {f"accuracy{suffix}": accuracy(start), f"macro F1{suffix}": macro_f1_of(start)}
    forest = list(guesses)[-1]
    for kind in ("accuracy", "macro F1"):
        statistics[f"skill {kind}"] = _above(statistics[kind], statistics[f"{kind}{forest}"])
    intervals = estimates(cluster_sums(artists, columns), statistics)
    n, rows = int(weights.sum()), []
    for kind in ("accuracy", "macro F1"):
        gain = intervals[f"skill {kind}"]
        rows.append(
            Metric(
                population,
                split,
                kind,
                n=n,
                **intervals[kind],
                baseline=forest.removeprefix(": "),
                baseline_value=intervals[f"{kind}{forest}"]["value"],
                skill=gain["value"],
                skill_low=gain["low"],
                skill_high=gain["high"],
                note="artists never seen; skill: how far above the baseline, as a share of it",
            )
        )
    named = [f"{kind}{suffix}" for suffix in list(guesses)[1:] for kind in ("accuracy", "macro F1")]
    return rows + [Metric(population, split, name, n=n, **intervals[name]) for name in named]


def _above(own: Statistic, other: Statistic) -> Statistic:
    return lambda sums: own(sums) / other(sums) - 1


def accuracy(start: int) -> Statistic:
    size = len(MOODS)
    return lambda sums: sums[..., start + size : start + 2 * size].sum(axis=-1) / sums[..., :size].sum(axis=-1)


def macro_f1_of(start: int) -> Statistic:
    """The mean over moods of 2 hits / (guessed + actual); a mood neither guessed nor actual counts 0."""
    size = len(MOODS)

    def macro_f1(sums: Floats) -> Floats:
        guessed, hits = sums[..., start : start + size], sums[..., start + size : start + 2 * size]
        return np.asarray((2 * hits / np.maximum(guessed + sums[..., :size], 1e-9)).mean(axis=-1))

    return macro_f1


def _bins(probability: Floats, actual: Ints) -> list[dict[str, Any]]:
    """For each tenth of probability: mean prediction, observed frequency, and number of pairs of track and mood."""
    is_so = np.arange(probability.shape[1])[None, :] == actual[:, None]
    tenth = np.minimum((probability * 10).astype(int), 9)
    return [
        {"x": float(probability[is_in].mean()), "value": float(is_so[is_in].mean()), "n": int(is_in.sum())}
        for is_in in (tenth == i for i in range(10))
        if is_in.any()
    ]


def _calibration_error(probability: Floats, actual: Ints) -> float:
    """Mean distance of predicted and observed frequency over the tenths, weighted by pairs (Naeini et al. 2015, all moods)."""
    rows = _bins(probability, actual)
    return float(sum(abs(row["x"] - row["value"]) * row["n"] for row in rows) / sum(row["n"] for row in rows))


def diagnosed(
    tracks: Tracks, asked: NDArray[np.bool_], probability: Floats, fitted: Classifier, sharpness: float
) -> list[dict[str, Any]]:
    """Confusion matrix, calibration and permutation importances (loss of accuracy; Breiman 2001) on the test artists."""
    actual, guess = tracks.moods[asked], probability.argmax(axis=1)
    cells = np.bincount(actual * len(MOODS) + guess, minlength=len(MOODS) ** 2).reshape(len(MOODS), -1)
    confusion = [
        {"label": a, "label_2": g, "value": float(cells[i, j] / max(cells[i].sum(), 1)), "n": int(cells[i, j])}
        for i, a in enumerate(MOODS)
        for j, g in enumerate(MOODS)
    ]
    rows = diagnostic("confusion", CATALOGUE, confusion) + diagnostic("calibration", CATALOGUE, _bins(probability, actual))
    codes = encoded(*tracks.pairs, fitted.of_genre, len(tracks))
    matrix = np.column_stack([tracks.audio, codes])[asked][:IMPORTANCE_ROWS]
    return rows + diagnostic("importance", CATALOGUE, _importances(fitted.estimator, matrix, actual[:IMPORTANCE_ROWS]))


def _importances(estimator: Any, matrix: Floats, actual: Ints) -> list[dict[str, Any]]:
    order = np.random.default_rng(SEED).permutation(len(matrix))
    right = (by_mood(estimator, matrix).argmax(axis=1) == actual).mean()
    groups = {name: [i] for i, name in enumerate(AUDIO)} | {"genres": list(range(len(AUDIO), matrix.shape[1]))}
    lost = {}
    for name, columns in groups.items():
        shuffled = matrix.copy()
        shuffled[:, columns] = matrix[order][:, columns]
        lost[name] = float(right - (by_mood(estimator, shuffled).argmax(axis=1) == actual).mean())
    return [{"label": name, "value": lost[name], "n": len(matrix)} for name in sorted(lost, key=lambda k: (-lost[k], k))]
