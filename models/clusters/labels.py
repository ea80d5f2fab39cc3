"""Names for clusters in plain words, from what distinguishes their centroids; no two clusters of a population share one."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from models.clusters.clustering import Clustering

MARKED, STRONG = 0.35, 1.5
"""Standard deviations from the mean that justify a word (between Cohen's small and medium effect), and those for "very"."""
WORDS = 2


@dataclass(frozen=True)
class Trait:
    """One word, and how strongly a centroid has it, in standard deviations."""

    word: str
    strength: float


Describe = Callable[[Mapping[str, float], Mapping[str, float]], Sequence[Trait]]
"""Gives the traits of a centroid, which is passed standardised and in its own units."""


def labels_of(clustering: Clustering, describe: Describe, otherwise: str) -> list[str]:
    """A label per cluster: its two most marked traits, and as many more as distinguish it from the others.

    `otherwise` names a cluster without a marked trait. Clusters that no trait distinguishes are numbered by size.
    """
    traits = []
    for cluster in range(clustering.k):
        standardised = dict(zip(clustering.features, clustering.centroids[cluster].tolist(), strict=True))
        found = describe(standardised, clustering.raw(cluster))
        ordered = sorted(found, key=lambda trait: (-round(trait.strength, 6), trait.word))
        traits.append([_said(trait) for trait in ordered if trait.strength >= MARKED])
    chosen = [WORDS] * clustering.k
    while True:
        # The order of the words tells nothing: "sad, calm" is "calm, sad".
        labels = [", ".join(sorted(words[:number])) or otherwise for words, number in zip(traits, chosen, strict=True)]
        twins = [c for c in range(clustering.k) if labels.count(labels[c]) > 1 and chosen[c] < len(traits[c])]
        if not twins:
            return [_numbered(labels, cluster) for cluster in range(clustering.k)]
        for cluster in twins:
            chosen[cluster] += 1


def _said(trait: Trait) -> str:
    return f"very {trait.word}" if trait.strength >= STRONG else trait.word


def _numbered(labels: Sequence[str], cluster: int) -> str:
    """The label, numbered from the second of the clusters that share it."""
    before = labels[:cluster].count(labels[cluster])
    label = labels[cluster][:1].upper() + labels[cluster][1:]
    return f"{label} ({before + 1})" if before else label
