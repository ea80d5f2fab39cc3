"""Kinds of sessions: clusters by length, variety, skipping, valence, energy and time of day."""

from __future__ import annotations

import math
from collections.abc import Mapping

from pyspark.sql import DataFrame

from features.session_features import FEATURES, HOUR_ANGLE, session_features
from lakehouse.declare import Fitted, model
from models.clusters.clustering import SAMPLE, cluster, diagnostics, metrics
from models.clusters.labels import Trait, labels_of
from models.clusters.nearest import centroid_table
from models.common.metric import rows_of
from models.common.sample import sampled

WORDS = {
    "log_plays": ("short", "long"),
    "variety": ("few artists", "many artists"),
    "skip_rate": ("patient", "skipping"),
    "valence": ("melancholy", "cheerful"),
    "energy": ("calm", "energetic"),
}
# The part of the day around each hour, as silver/local_time.py bounds them.
PARTS = ("night",) * 6 + ("morning",) * 6 + ("afternoon",) * 6 + ("evening",) * 5 + ("night",)


@model("session_persona", kind="clustering")
def session_persona(sessions: DataFrame) -> Fitted:
    """K-means on seven standardised features of at most 4,000 sessions per population, sampled by a hash of their ids.

    The number of clusters is chosen by silhouette and bootstrap stability (models/clusters/clustering.py).
    """
    samples = sampled(session_features(sessions), ["user_id", "session_id"], FEATURES, SAMPLE)
    clusterings = {name: cluster(values, FEATURES) for name, values in samples.items()}
    labels = {name: labels_of(clustering, traits, "everyday") for name, clustering in clusterings.items()}
    return Fitted(
        parameters={"features": list(FEATURES), "clusters": {name: clustering.k for name, clustering in clusterings.items()}},
        splits={name: {"sampled sessions": clustering.rows} for name, clustering in clusterings.items()},
        metrics=rows_of(metrics(clusterings)),
        diagnostics=diagnostics(clusterings, labels),
        frames={"centroids": centroid_table(clusterings, labels)},
    )


def traits(standardised: Mapping[str, float], _: Mapping[str, float]) -> list[Trait]:
    """The traits of a centroid; for the hour, the direction in which it differs from the mean of all sessions."""
    said = [Trait(words[standardised[name] > 0], abs(standardised[name])) for name, words in WORDS.items()]
    sine, cosine = standardised["hour_sine"], standardised["hour_cosine"]
    hour = round(math.atan2(sine, cosine) / HOUR_ANGLE) % 24
    return [*said, Trait(PARTS[hour], math.hypot(sine, cosine))]
