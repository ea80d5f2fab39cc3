"""The mood category of a track, predicted without valence and energy, which define it."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from features.mood_design import AUDIO, audio_matrix, encoded, genre_counts, genre_pairs, probabilities, shares
from lakehouse.declare import Fitted, Retrain, model
from models.common.metric import Metric, finite, rows_of
from models.moods.mood_classifier import SEED, Classifier, Ints, Tracks, one_thread, spread
from models.moods.mood_scores import diagnosed, log_loss, scored
from music.moods import MOODS
from music.moods import mood_category as mood_of
from music.populations import POPULATIONS, population
from music.ranking import least
from music.splits import TEST, TRAIN, VALIDATION

MIXED = "mixed"
FOREST_FEATURES = ("tempo", "danceability", "acousticness", "instrumentalness")
MAX_TRACKS = 150_000
MIN_TRACKS = 200
"""The fewest tracks in each of train, validation and test; with fewer, every track gets the overall shares of moods."""
FOLDS = 5
MAX_ROUNDS, STEP = 45, 15


def part_of(artist_keys: Column) -> Column:
    """train, validation or test by a hash of each credited artist (60, 20, 20%); mixed if they differ; null without."""

    def part(artist_key: Column) -> Column:
        digits = F.substring(artist_key, 1, 2)
        return F.when(digits < "33", TEST).when(digits < "66", VALIDATION).otherwise(TRAIN)

    parts = F.array_distinct(F.transform(artist_keys, part))
    return F.when(F.size(parts) == 1, F.element_at(parts, 1)).when(F.size(parts) > 1, MIXED)


@model("mood_category", kind="classification", retrain=Retrain(share=0.1, days=365))
def mood_category(tracks: DataFrame, listening_with_features: DataFrame, users: DataFrame) -> Fitted:
    """Histogram gradient boosting (scikit-learn; MLlib boosts two classes only) of the mood category of catalogue tracks.

    Predictors are all audio features but valence and energy, and genres encoded as the shares of moods among their tracks
    (Micci-Barreca 2001), for training tracks from other artists only. Artists and recordings belong to one split each;
    tracks whose credited artists are in several splits belong to none. Rounds and the temperature of the probabilities (Guo
    et al. 2017) are chosen on validation. The test is on unseen artists, over catalogue tracks and over listens, against
    the most frequent mood and a plain random forest (Breiman 2001; 50 trees of depth 12) on tempo, danceability,
    acousticness and instrumentalness. The evaluation fit keeps classifying the tracks of the test artists.
    """
    labelled = _load(tracks)
    sizes = {part: int((labelled.part == part).sum()) for part in (TRAIN, VALIDATION, TEST, MIXED)}
    overall = np.bincount(labelled.moods, minlength=len(MOODS)) / max(len(labelled), 1)
    twice = labelled.table.filter(pa.array(labelled.crosses))["track_id"].to_pylist()
    parameters: dict[str, Any] = {
        "recordings_in_several_parts": twice,
        "genres": list(labelled.genres),
        "moods": list(MOODS),
        "overall": overall.tolist(),
    }
    splits = {"by": "hash of every credited artist", "n": sizes}
    if min(sizes[part] for part in (TRAIN, VALIDATION, TEST)) < MIN_TRACKS:
        return Fitted(parameters | {"published": "shares of moods", "sharpness": 1.0}, splits)
    rounds, sharpness = _choose(labelled)
    is_test, everything = labelled.part == TEST, np.ones(len(labelled), dtype=bool)
    is_before = np.isin(labelled.part, [TRAIN, VALIDATION])
    with ThreadPoolExecutor(2) as pool:
        fits = [pool.submit(_fit, labelled, members, rounds) for members in (everything, is_before)]
        forest = pool.submit(_forest, labelled, is_before, is_test).result()
        refit, evaluation = (fit.result() for fit in fits)
    probability = probabilities(evaluation.raw(labelled, is_test), sharpness)
    rivals = {
        "most frequent mood": np.full(int(is_test.sum()), int(np.bincount(labelled.moods[is_before]).argmax())),
        "plain forest": forest,
    }
    measured = scored(labelled, is_test, probability, rivals, _listens(listening_with_features, tracks, users))
    if not _beats_baseline(measured[0]):
        note = "the model does not beat the plain forest: everybody gets the shares of moods there are"
        noted = [replace(metric, note=note) for metric in measured]
        return Fitted(parameters | {"published": "shares of moods", "sharpness": 1.0}, splits, rows_of(noted))
    return Fitted(
        parameters=parameters | {"published": "boosted trees", "rounds": rounds, "sharpness": sharpness},
        splits=splits,
        metrics=rows_of(measured),
        diagnostics=diagnosed(labelled, is_test, probability, evaluation, sharpness),
        frames={"genres": _genre_frame(labelled.genres, evaluation, refit)},
        estimators={"evaluation": evaluation.estimator, "refit": refit.estimator},
    )


def _beats_baseline(metric: Metric) -> bool:
    return metric.value is not None and metric.baseline_value is not None and metric.value > metric.baseline_value


def _load(tracks: DataFrame) -> Tracks:
    """Measured catalogue tracks with an artist; the first MAX_TRACKS in the order of a hash of the artist."""
    by_hash = F.md5("artist_key")
    chosen = (
        tracks.where("in_catalogue AND feature_source IN ('api', 'kaggle_id', 'kaggle_name') AND artist_key IS NOT NULL")
        .select(
            *["track_id", "artist_key", "genres", *AUDIO],
            mood_of(F.col("valence"), F.col("energy")).alias("mood"),
            part_of(F.col("artist_keys")).alias("part"),
            F.md5(F.concat_ws("|", *[F.col(name).cast("string") for name in RECORDING])).alias("recording"),
        )
        .where("mood IS NOT NULL")
        .orderBy(by_hash, "artist_key", "track_id")
        .limit(MAX_TRACKS)
    )
    table = chosen.toArrow().sort_by("track_id")
    part = table["part"].to_numpy(zero_copy_only=False).astype(object)
    crosses = _crosses(table["recording"], part)
    part[crosses] = MIXED
    genres = tuple(sorted(set(pc.list_flatten(table["genres"]).to_pylist())))
    moods = pc.index_in(table["mood"], pa.array(MOODS)).to_numpy(zero_copy_only=False).astype(np.int64)
    fold = np.array([int(key[:8], 16) % FOLDS for key in table["artist_key"].to_pylist()], dtype=np.int64)
    return Tracks(table, audio_matrix(table), genres, genre_pairs(table, genres), moods, part, crosses, fold)


# Figures that no two recordings share by chance.
RECORDING = ("danceability", "acousticness", "speechiness", "liveness", "loudness", "tempo", "duration_ms")


def _crosses(recordings: pa.ChunkedArray, part: NDArray[np.object_]) -> NDArray[np.bool_]:
    """Whether one recording has tracks in several parts."""
    _, index = np.unique(recordings.to_numpy(zero_copy_only=False).astype(str), return_inverse=True)
    _, number = np.unique(part.astype(str), return_inverse=True)
    least, most = np.full(index.max(initial=-1) + 1, 99), np.full(index.max(initial=-1) + 1, -1)
    np.minimum.at(least, index, number)
    np.maximum.at(most, index, number)
    return np.asarray((least < most)[index])


def _fit(tracks: Tracks, members: NDArray[np.bool_], rounds: int) -> Classifier:
    """Train on `members`; a training track's genres are encoded from artists of other folds, as a new artist's will be."""
    from sklearn.ensemble import HistGradientBoostingClassifier

    shape = (len(tracks.genres), len(MOODS))
    rows, numbers = tracks.pairs
    overall = np.bincount(tracks.moods[members], minlength=len(MOODS)) / members.sum()
    counts = [
        genre_counts(rows[kept], numbers[kept], tracks.moods, shape)
        for kept in (members[rows] & (tracks.fold[rows] == fold) for fold in range(FOLDS))
    ]
    total = np.sum(counts, axis=0)
    codes = np.empty((len(tracks), len(MOODS)))
    for fold in range(FOLDS):
        is_own = tracks.fold == fold
        codes[is_own] = encoded(rows, numbers, shares(total - counts[fold], overall), len(tracks))[is_own]
    estimator = HistGradientBoostingClassifier(
        max_iter=rounds, learning_rate=0.15, max_bins=64, early_stopping=False, random_state=SEED
    )
    with one_thread():
        estimator.fit(np.column_stack([tracks.audio, codes])[members], tracks.moods[members])
    return Classifier(estimator, shares(total, overall))


def _choose(tracks: Tracks) -> tuple[int, float]:
    """Rounds and sharpness with the lowest log loss on the validation artists."""
    from scipy.optimize import minimize_scalar

    first, is_validation = _fit(tracks, tracks.part == TRAIN, MAX_ROUNDS), tracks.part == VALIDATION
    codes = encoded(*tracks.pairs, first.of_genre, len(tracks))
    matrix, moods = np.column_stack([tracks.audio, codes])[is_validation], tracks.moods[is_validation]
    staged = enumerate(first.estimator.staged_predict_proba(matrix), start=1)
    with one_thread():
        losses = {number: log_loss(spread(first.estimator, told), moods) for number, told in staged if number % STEP == 0}
    rounds = least(losses)
    raw = first.raw(tracks, is_validation)
    best = minimize_scalar(lambda s: log_loss(probabilities(raw, s), moods), bounds=(0.3, 3.0), method="bounded")
    return rounds, float(best.x)


def _forest(tracks: Tracks, members: NDArray[np.bool_], asked: NDArray[np.bool_]) -> Ints:
    from sklearn.ensemble import RandomForestClassifier

    matrix = np.nan_to_num(tracks.audio[:, [AUDIO.index(name) for name in FOREST_FEATURES]])
    forest = RandomForestClassifier(n_estimators=50, max_depth=12, max_samples=0.5, random_state=SEED)
    forest.fit(matrix[members], tracks.moods[members])
    return np.asarray(forest.predict(matrix[asked]))


def _listens(listening_with_features: DataFrame, tracks: DataFrame, users: DataFrame) -> dict[str, dict[str, int]]:
    """Per population, measured listens of each catalogue track, under any of its ids."""
    matched = tracks.select("track_id", F.coalesce("matched_track_id", "track_id").alias("catalogue_id"))
    heard = (
        listening_with_features.where("is_listen AND is_measured")
        .select("user_id", "track_id")
        .join(
            F.broadcast(users.select("user_id", population(F.col("is_synthetic")).alias("population"))), on="user_id", how="inner"
        )
        .groupBy("population", "track_id")
        .agg(F.count(F.lit(1)).alias("listens"))
        .join(matched, on="track_id", how="inner")
        .groupBy("population", "catalogue_id")
        .agg(F.sum("listens").alias("listens"))
    )
    found: dict[str, dict[str, int]] = {name: {} for name in POPULATIONS}
    for row in heard.toArrow().to_pylist():
        found[row["population"]][row["catalogue_id"]] = row["listens"]
    return found


def _genre_frame(genres: Sequence[str], evaluation: Classifier, refit: Classifier) -> pa.Table:
    """One row per fit, genre and mood."""
    rows = [
        {"fit": fit, "genre": genre, "mood": mood, "share": finite(made.of_genre[g, m])}
        for fit, made in (("evaluation", evaluation), ("refit", refit))
        for g, genre in enumerate(genres)
        for m, mood in enumerate(MOODS)
    ]
    return pa.Table.from_pylist(rows)
