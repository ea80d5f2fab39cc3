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

    Sessions of listeners whose time zone is unknown have no hour. Each persona has two names, one for such sessions
    (`timeless_label`), which does not say at what time of day it is.

    The number of clusters is chosen by silhouette and bootstrap stability (models/clusters/clustering.py).
    """
    samples = sampled(session_features(sessions), ["user_id", "session_id"], FEATURES, SAMPLE)
    clusterings = {name: cluster(values, FEATURES) for name, values in samples.items()}
    labels, timeless = (
        {name: labels_of(clustering, describe, "everyday") for name, clustering in clusterings.items()}
        for describe in (traits, timeless_traits)
    )
    return Fitted(
        parameters={"features": list(FEATURES), "clusters": {name: clustering.k for name, clustering in clusterings.items()}},
        splits={name: {"sampled sessions": clustering.rows} for name, clustering in clusterings.items()},
        metrics=rows_of(metrics(clusterings)),
        diagnostics=diagnostics(clusterings, labels),
        frames={"centroids": centroid_table(clusterings, labels, timeless_label=timeless)},
    )


def timeless_traits(standardised: Mapping[str, float], _: Mapping[str, float]) -> list[Trait]:
    """The traits of a centroid other than the time of day."""
    return [Trait(words[standardised[name] > 0], abs(standardised[name])) for name, words in WORDS.items()]


def traits(standardised: Mapping[str, float], raw: Mapping[str, float]) -> list[Trait]:
    """The traits of a centroid; for the hour, the direction in which it differs from the mean of all sessions."""
    sine, cosine = standardised["hour_sine"], standardised["hour_cosine"]
    hour = round(math.atan2(sine, cosine) / HOUR_ANGLE) % 24
    return [*timeless_traits(standardised, raw), Trait(PARTS[hour], math.hypot(sine, cosine))]
