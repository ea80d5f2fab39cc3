"""Weights of audio, genre and artist, and sessions in a blended vector: chosen and scored by the next track of a session."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pyarrow as pa
from pyspark.sql import DataFrame

from lakehouse.declare import Fitted, Model, model
from models.common.catalogue_share import learned_from
from models.common.metric import Metric, rows_of
from models.tracks.catalogue_space import CatalogueSpace
from models.tracks.next_tracks import followed, listens_of_tracks, ranks_by_followers, sampled
from models.tracks.track_kinds import PARTS
from models.tracks.track_vectors import described
from music.bootstrap import mean_interval
from music.populations import REAL, populations
from music.ranking import TIE, greatest, least, numbered
from music.splits import TEST, VALIDATION, windowed

Mix = Mapping[str, float]

WITHOUT_SESSIONS = tuple({"audio": share, "genre_artist": 1 - share, "sessions": 0.0} for share in (0.0, 0.1, 0.25, 0.5))
WITH_SESSIONS = tuple(
    dict(zip(PARTS, mix, strict=True))
    for mix in ((0.1, 0.7, 0.2), (0.1, 0.5, 0.4), (0.1, 0.3, 0.6), (0.25, 0.5, 0.25), (0.0, 0.5, 0.5), (0.0, 0.25, 0.75))
)
ALONE = {f"{name} alone": {part: float(part == name) for part in PARTS} for name in PARTS}
# Where there is nothing to choose by.
DEFAULT = {"audio": 0.25, "genre_artist": 0.5, "sessions": 0.25}
HIT = 20
BLENDED = "blended"
NOT_BETTER = (
    "does not beat {}; published all the same, because it gives vectors and similar tracks to the whole catalogue, most of which "
    "nobody plays; its weights were chosen on validation"
)


@model("track_blend", kind="weights")
def track_blend(
    listening_with_features: DataFrame,
    users: DataFrame,
    catalogue: DataFrame,
    catalogue_recordings: DataFrame,
    track_vectors: Model,
    session_vectors: Model | None,
) -> Fitted:
    """Weights per population, chosen so that the next track of a session ranks best in the validation windows.

    The vector of the current track ranks the whole catalogue. Scores are on the test windows, against popularity, the
    artist's popular tracks, the tracks that followed before, and each part alone. Session vectors are those trained before
    each window.
    """
    listens = windowed(listening_with_features.where("is_listen AND NOT is_skip"), users)
    listed = learned_from(catalogue)
    pairs = followed(listens, listed)
    content = described(listed, catalogue_recordings).toArrow().sort_by("track_id")
    space = CatalogueSpace(content, track_vectors, session_vectors)
    weights: dict[str, Mix] = {REAL: DEFAULT}
    metrics: list[Metric] = []
    diagnostics: list[dict[str, Any]] = []
    for population in populations(users):
        asked = sampled(pairs, population, VALIDATION).toArrow().sort_by("play_id")
        weights[population], tried = chosen(space, asked, population, has_sessions=session_vectors is not None)
        diagnostics += [row | {"row": len(diagnostics) + number} for number, row in enumerate(tried)]
        test = sampled(pairs, population, TEST)
        if (asked := test.toArrow().sort_by("play_id")).num_rows:
            mixes = {BLENDED: weights[population], **ALONE}
            ranks = dict(zip(mixes, space.ranks(asked, list(mixes.values()), population, TEST), strict=True))
            if session_vectors is None:
                del ranks["sessions alone"]
            heard = listens_of_tracks(listens, population, TEST).join(listed, on="track_id", how="left_semi")
            followers = ranks_by_followers(pairs, test, population, TEST)
            metrics += next_track_metrics(ranks | space.simple_ranks(asked, heard.toArrow(), followers.toArrow()), population)
    return Fitted(
        parameters={"weights": weights},
        splits={"validation": "from 60% to 80% of each listener's time", "test": "the last 20%"},
        metrics=rows_of(metrics),
        diagnostics=diagnostics,
    )


def chosen(space: CatalogueSpace, asked: pa.Table, population: str, *, has_sessions: bool) -> tuple[Mix, list[dict[str, Any]]]:
    """The mix to use for the blend, and diagnostic rows of all mixes that were tried.

    It is the most even of the mixes whose mean logarithm of the ranks is within one standard error of the best: the
    one-standard-error rule (Breiman et al., Classification and Regression Trees, 1984, section 3.4.3).
    """
    if not asked.num_rows:
        return DEFAULT, []
    mixes = [*WITHOUT_SESSIONS, *(WITH_SESSIONS if has_sessions else ())]
    logs = np.log(space.ranks(asked, mixes, population, VALIDATION))
    tried = logs.mean(axis=1)
    rows = [
        {"kind": "weights", "population": population, "value": float(np.exp(value)), "n": asked.num_rows}
        | {"label": ", ".join(f"{name} {share:g}" for name, share in mix.items()), "label_2": "geometric mean rank"}
        for mix, value in zip(mixes, tried, strict=True)
    ]
    worse = logs - logs[least(numbered(tried))]
    errors = worse.std(axis=1) / np.sqrt(asked.num_rows)
    near = [number for number in range(len(mixes)) if worse[number].mean() <= errors[number] + TIE]
    return mixes[least({number: sum(share**2 for share in mixes[number].values()) for number in near})], rows


def next_track_metrics(ranks: Mapping[str, np.ndarray], population: str) -> list[Metric]:
    """Hit rate at 20 and geometric mean rank of the next track, ours compared with the best of the others.

    If that one is at least as good, the note says so; the blend is not replaced.
    """
    hits = {name: (places <= HIT).astype(float) for name, places in ranks.items()}
    logs = {name: np.log(places) for name, places in ranks.items()}
    others = [name for name in ranks if name != BLENDED]
    by_hits = greatest({name: float(hits[name].mean()) for name in others})
    by_rank = least({name: float(logs[name].mean()) for name in others})
    own_hits, best_hits = hits[BLENDED].mean(), hits[by_hits].mean()
    beside_hits = {
        "baseline": by_hits,
        "baseline_value": float(best_hits),
        "skill": float(own_hits / best_hits - 1) if hits[by_hits].any() else None,
        "note": NOT_BETTER.format(by_hits) if own_hits <= best_hits else None,
    }
    gain = logs[BLENDED].mean() - logs[by_rank].mean()
    beside_rank = {
        "baseline": by_rank,
        "baseline_value": float(np.exp(logs[by_rank].mean())),
        "skill": float(-np.expm1(gain)),
        "note": NOT_BETTER.format(by_rank) if gain >= 0 else None,
    }
    return [
        *[_metric(population, f"next track hit@{HIT}", name, values, float, beside_hits) for name, values in hits.items()],
        *[_metric(population, "next track geometric mean rank", name, logs[name], np.exp, beside_rank) for name in logs],
    ]


def _metric(
    population: str, title: str, name: str, values: np.ndarray, scale: Callable[[float], float], beside: Mapping[str, Any]
) -> Metric:
    """The mean with its interval, both in the units that `scale` gives; ours with the one `beside` it."""
    low, high = (None if end is None else float(scale(end)) for end in mean_interval(values))
    is_ours = name == BLENDED
    return Metric(
        population,
        TEST,
        title if is_ours else f"{title}: {name}",
        value=float(scale(float(values.mean()))),
        n=len(values),
        low=low,
        high=high,
        **(beside if is_ours else {}),
    )
