"""What sound, genre and artist, and sessions weigh in a blended vector: chosen and judged by the next track of a session."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa
from pyspark.sql import DataFrame

from lakehouse.declare import Fitted, Model, model
from models.common.bootstrap import mean_interval
from models.common.listening_windows import REAL, SYNTHETIC, populations, windowed
from models.tracks.catalogue_space import CatalogueSpace
from models.tracks.next_tracks import followed, listens_of_tracks, ranks_by_followers, sampled
from models.tracks.track_kinds import PARTS
from models.tracks.track_vectors import told

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
NOT_BETTER = (
    "does not beat {}; published all the same, because it gives vectors and similar tracks to the whole catalogue, most of which "
    "nobody plays; its weights were chosen on validation"
)
SPLITS = {REAL: "test", SYNTHETIC: "test_synthetic"}


@model("track_blend", kind="weights")
def track_blend(
    listening_with_features: DataFrame,
    users: DataFrame,
    catalogue: DataFrame,
    track_vectors: Model,
    session_vectors: Model | None,
) -> Fitted:
    """Weights per population: those by which the next track of a session ranks best in the validation windows.

    The current track's vector ranks the whole catalogue; figures are those of the test windows, against popularity, the artist's
    popular tracks, what followed the track before and each part alone. Sessions' vectors are
    those learned before each window.
    """
    listens = windowed(listening_with_features.where("is_listen AND NOT is_skip"), users)
    pairs = followed(listens, catalogue)
    space = CatalogueSpace(told(catalogue).toArrow().sort_by("track_id"), track_vectors, session_vectors)
    weights: dict[str, Mix] = {REAL: DEFAULT}
    metrics: list[dict[str, Any]] = []
    diagnostics: list[dict[str, Any]] = []
    for population in populations(users):
        asked = sampled(pairs, population, "validation").toArrow().sort_by("play_id")
        weights[population], tried = chosen(space, asked, population, has_sessions=session_vectors is not None)
        diagnostics += [row | {"row": len(diagnostics) + number} for number, row in enumerate(tried)]
        test = sampled(pairs, population, "test")
        if (asked := test.toArrow().sort_by("play_id")).num_rows:
            mixes = {"blended": weights[population], **ALONE}
            found = dict(zip(mixes, space.ranks(asked, list(mixes.values()), population, "test"), strict=True))
            if session_vectors is None:
                del found["sessions alone"]
            heard = listens_of_tracks(listens, population, "test").join(catalogue, on="track_id", how="left_semi")
            followers = ranks_by_followers(pairs, test, population, "test")
            metrics += metric_rows(found | space.simple_ranks(asked, heard.toArrow(), followers.toArrow()), population)
    return Fitted(
        parameters={"weights": weights},
        splits={"validation": "from 60% to 80% of each listener's time", "test": "the last 20%"},
        metrics=metrics,
        diagnostics=diagnostics,
    )


def chosen(space: CatalogueSpace, asked: pa.Table, population: str, *, has_sessions: bool) -> tuple[Mix, list[dict[str, Any]]]:
    """The mix to blend by, and diagnostic rows of all that were tried.

    Of the mixes whose mean logarithm of the ranks is not a standard error worse than the best one's, the most even: the
    one-standard-error rule (Breiman et al., Classification and Regression Trees, 1984, section 3.4.3).
    """
    if not asked.num_rows:
        return DEFAULT, []
    mixes = [*WITHOUT_SESSIONS, *(WITH_SESSIONS if has_sessions else ())]
    logs = np.log(space.ranks(asked, mixes, population, "validation"))
    tried = logs.mean(axis=1)
    rows = [
        {"kind": "weights", "population": population, "value": float(np.exp(value)), "n": asked.num_rows}
        | {"label": ", ".join(f"{name} {share:g}" for name, share in mix.items()), "label_2": "geometric mean rank"}
        for mix, value in zip(mixes, tried, strict=True)
    ]
    worse = logs - logs[int(np.argmin(tried))]
    errors = worse.std(axis=1) / np.sqrt(asked.num_rows)
    near = [number for number in range(len(mixes)) if worse[number].mean() <= errors[number]]
    return mixes[min(near, key=lambda number: sum(share**2 for share in mixes[number].values()))], rows


def metric_rows(ranks: Mapping[str, np.ndarray], population: str) -> list[dict[str, Any]]:
    """Hit rate at 20 and geometric mean rank of the next track, ours with the best of the others beside it.

    Where that one is at least as good, the note says so: nothing is put in the place of the blend.
    """
    hits = {name: (found <= HIT).astype(float) for name, found in ranks.items()}
    logs = {name: np.log(found) for name, found in ranks.items()}
    others = [name for name in ranks if name != "blended"]
    by_hits, by_rank = max(others, key=lambda name: hits[name].mean()), min(others, key=lambda name: logs[name].mean())
    rows = [_row(f"next track hit@{HIT}", name, values, population) for name, values in hits.items()]
    rows[0] |= {"baseline": by_hits, "baseline_value": float(hits[by_hits].mean())}
    if hits[by_hits].any():
        rows[0] |= {"skill": float(hits["blended"].mean() / hits[by_hits].mean() - 1)}
    if hits["blended"].mean() <= hits[by_hits].mean():
        rows[0] |= {"note": NOT_BETTER.format(by_hits)}
    for name, values in logs.items():
        row = _row("next track geometric mean rank", name, values, population)
        rows.append(row | {key: float(np.exp(row[key])) for key in ("value", "low", "high") if row[key] is not None})
        if name == "blended":
            beside = {"baseline": by_rank, "baseline_value": float(np.exp(logs[by_rank].mean()))}
            rows[-1] |= beside | {"skill": float(-np.expm1(values.mean() - logs[by_rank].mean()))}
            if values.mean() >= logs[by_rank].mean():
                rows[-1] |= {"note": NOT_BETTER.format(by_rank)}
    return rows


def _row(metric: str, name: str, values: np.ndarray, population: str) -> dict[str, Any]:
    low, high = mean_interval(values)
    row = {"split": SPLITS[population], "population": population, "metric": metric if name == "blended" else f"{metric}: {name}"}
    return row | {"value": float(values.mean()), "low": low, "high": high, "n": len(values)}
