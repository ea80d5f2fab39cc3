"""Mood states: clusters of listens by valence and energy."""

from __future__ import annotations

from collections.abc import Mapping

from pyspark.sql import DataFrame

from lakehouse.declare import Fitted, model
from models.clusters.clustering import SAMPLE, cluster, diagnostics, metrics
from models.clusters.labels import Trait, labels_of
from models.clusters.nearest import centroid_table
from models.common.metric import rows_of
from models.common.sample import sampled
from music.listening import listens

FEATURES = ("valence", "energy")
"""The two axes of the circumplex model of affect (Russell 1980)."""
WORDS = {"valence": ("sad", "cheerful"), "energy": ("calm", "energetic")}


@model("mood_state", kind="clustering")
def mood_state(listening_with_features: DataFrame) -> Fitted:
    """K-means on standardised valence and energy of at most 4,000 measured listens per population, sampled by hash of id.

    The number of clusters is chosen by silhouette and bootstrap stability (models/clusters/clustering.py). Unlike
    mood_category, whose limits are the same for everyone, the states lie where the population's music is.
    """
    measured = listens(listening_with_features).where("is_measured AND valence IS NOT NULL AND energy IS NOT NULL")
    samples = sampled(measured, ["user_id", "play_id"], FEATURES, SAMPLE)
    clusterings = {name: cluster(values, FEATURES) for name, values in samples.items()}
    labels = {name: labels_of(clustering, traits, "balanced") for name, clustering in clusterings.items()}
    return Fitted(
        parameters={"features": list(FEATURES), "clusters": {name: clustering.k for name, clustering in clusterings.items()}},
        splits={name: {"sampled listens": clustering.rows} for name, clustering in clusterings.items()},
        metrics=rows_of(metrics(clusterings)),
        diagnostics=diagnostics(clusterings, labels),
        frames={"centroids": centroid_table(clusterings, labels)},
    )


def traits(standardised: Mapping[str, float], _: Mapping[str, float]) -> list[Trait]:
    """The traits of a centroid."""
    return [Trait(words[standardised[name] > 0], abs(standardised[name])) for name, words in WORDS.items()]
