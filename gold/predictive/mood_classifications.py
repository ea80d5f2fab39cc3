"""Which mood does a track have, judged without the two features that define it?"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pyarrow as pa
from pyspark import cloudpickle
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

import features.mood_design
from features.mood_design import AUDIO, audio_matrix, encoded, genre_pairs, probabilities
from lakehouse.declare import Model, column, table
from models.moods.mood_category import MIXED, part_of
from music.audio_features import LADDER, MEASURED, STAND_IN
from music.moods import MOODS
from music.moods import mood_category as mood_of
from music.splits import TEST, TRAIN, VALIDATION

SHARES = {mood: f"share_{mood.lower()}" for mood in MOODS}
NAMES = tuple(f"probability_{mood.lower()}" for mood in MOODS)

# A worker of a cluster has scikit-learn but not this project.
cloudpickle.register_pickle_by_value(features.mood_design)  # type: ignore[no-untyped-call]


@table(
    "gold.mood_classifications",
    key=["track_id", "model_id"],
    scope="entity",
    schema=[
        column("track_id", "string", "track in the catalogue or in a play"),
        column("model_id", "string", "model that made the classification, see ops.models"),
        column("recording_id", "string", "recording of the track", nullable=False),
        column("track_name", "string", "title"),
        column("artist_name", "string", "first credited artist"),
        column("predicted_mood", "string", "most probable mood category", nullable=False, one_of=MOODS),
        column("probability", "double", "its calibrated probability, 0-1", nullable=False, between=(0, 1)),
        *[column(name, "double", f"probability of {mood}, 0-1", nullable=False) for mood, name in zip(MOODS, NAMES, strict=True)],
        column("actual_mood", "string", "mood by measured valence and energy; null where they are estimated", one_of=MOODS),
        column("is_correct", "boolean", "predicted_mood equals actual_mood; null where actual_mood is unknown"),
        column("in_training", "boolean", "the fit was trained on this recording, so is_correct is not a test", nullable=False),
        column(
            "fit",
            "string",
            "evaluation (trained without the test artists) for their tracks; refit (trained on all tracks) for all others",
            one_of=("evaluation", "refit"),
        ),
        column(
            "part",
            "string",
            "split of the track's artists: train, validation or test; mixed if they differ; null without artists",
            one_of=(TRAIN, VALIDATION, TEST, MIXED),
        ),
        column("feature_source", "string", "rung of the feature ladder", nullable=False, one_of=LADDER),
    ],
)
def mood_classifications(tracks: DataFrame, mood_category: Model) -> DataFrame:
    """One row per track with known features: measured ones or the mean of the artist's tracks, never synthetic ones.

    Tracks of the test artists are classified by the fit that was trained without them. The share of is_correct over
    catalogue tracks with in_training = false is therefore the score in gold.model_performance_metrics.
    """
    described = tracks.where(F.col("feature_source") != STAND_IN).select(
        *["track_id", "recording_id", "track_name", "artist_name", "in_catalogue", "feature_source"],
        F.coalesce("genres", F.array().cast("array<string>")).alias("genres"),
        *[F.col(name).cast("double").alias(name) for name in AUDIO],
        F.when(F.col("feature_source").isin(*MEASURED), mood_of(F.col("valence"), F.col("energy"))).alias("actual_mood"),
        part_of(F.col("artist_keys")).alias("part"),
    )
    elsewhere = mood_category.parameters["recordings_in_several_parts"]
    is_test = (F.col("part") == TEST) & F.col("in_catalogue") & ~F.col("track_id").isin(elsewhere)
    asked = described.withColumn("fit", F.when(is_test, "evaluation").otherwise("refit"))
    passed = [
        "track_id",
        "recording_id",
        "track_name",
        "artist_name",
        "feature_source",
        "actual_mood",
        "part",
        "fit",
        "in_catalogue",
    ]
    kinds = ", ".join(f"{name} {'boolean' if name == 'in_catalogue' else 'string'}" for name in passed)
    kinds += ", predicted_mood string, probability double, " + ", ".join(f"{name} double" for name in NAMES)
    # Loading what classifies takes seconds, which new plays of known tracks need not wait for.
    fits = {} if asked.isEmpty() else _fits(mood_category)
    classified = asked.select(*passed, "genres", *AUDIO).mapInArrow(_classifier(mood_category, fits, passed), kinds)
    is_seen = (F.col("in_catalogue") | (F.col("feature_source") == "kaggle_name")) & (F.col("fit") == "refit")
    return classified.select(
        "track_id",
        F.lit(mood_category.id).alias("model_id"),
        *["recording_id", "track_name", "artist_name", "predicted_mood", "probability", *NAMES, "actual_mood"],
        (F.col("predicted_mood") == F.col("actual_mood")).alias("is_correct"),
        is_seen.alias("in_training"),
        *["fit", "part", "feature_source"],
    )


Batches = Iterator[pa.RecordBatch]


def _fits(model: Model) -> dict[str, Any]:
    """The estimator of each fit, and the shares of moods by genre that it uses; no estimator if the shares are published."""
    if model.parameters["published"] == "shares of moods":
        return {}
    stored, shape = model.arrow("genres").to_pylist(), (len(model.parameters["genres"]), len(MOODS))
    shares = {fit: [row["share"] for row in stored if row["fit"] == fit] for fit in ("evaluation", "refit")}
    return {fit: (model.estimator(fit), np.array(values).reshape(shape)) for fit, values in shares.items()}


def _classifier(model: Model, fits: dict[str, Any], passed: list[str]) -> Callable[[Batches], Batches]:
    """A function that classifies batches of tracks; it contains everything it needs, so that it can be sent to a worker."""
    parameters = model.parameters
    genres, moods, sharpness = parameters["genres"], list(MOODS), parameters["sharpness"]
    overall = np.array(parameters["overall"])

    def classify(batches: Batches) -> Batches:
        for batch in batches:
            probability = np.tile(overall, (batch.num_rows, 1))
            audio, pairs = audio_matrix(batch), genre_pairs(batch, genres)
            of_fit = batch.column("fit").to_numpy(zero_copy_only=False).astype(str)
            for fit, (estimator, of_genre) in fits.items():
                members = of_fit == fit
                if members.any():
                    matrix = np.column_stack([audio, encoded(*pairs, of_genre, batch.num_rows)])[members]
                    raw = np.zeros((len(matrix), len(moods)))
                    raw[:, estimator.classes_] = estimator.predict_proba(matrix)
                    probability[members] = probabilities(raw, sharpness)
            best = probability.argmax(axis=1)
            columns = [batch.column(name) for name in passed]
            columns += [pa.array([moods[i] for i in best], pa.string()), pa.array(probability.max(axis=1))]
            columns += [pa.array(np.ascontiguousarray(probability[:, i])) for i in range(len(moods))]
            yield pa.RecordBatch.from_arrays(columns, names=[*passed, "predicted_mood", "probability", *NAMES])

    return classify
