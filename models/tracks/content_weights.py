"""The weights of audio, genre and artist in the similarity of two tracks, chosen and judged by album mates."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pandas as pd

from models.common.metric import Metric
from models.tracks.album_mates import KINDS, NEIGHBOURS, queries, ranks
from music.bootstrap import mean_interval
from music.populations import CATALOGUE
from music.ranking import greatest, least, numbered
from music.splits import TEST, VALIDATION

PARTS = ("audio", "genre", "artist")
# Shares of audio, genre and artist that are tried; they sum to 1.
MIXES = tuple(
    dict(zip(PARTS, mix, strict=True))
    for mix in ((0.4, 0.6, 0.0), (0.3, 0.6, 0.1), (0.45, 0.45, 0.1), (0.6, 0.3, 0.1), (0.4, 0.4, 0.2), (0.2, 0.6, 0.2))
)
BASELINES = {"audio only": {"audio": 1.0}, "genre only": {"genre": 1.0}, "artist only": {"artist": 1.0}}


def choose(parts: Mapping[str, np.ndarray], names: pd.DataFrame) -> tuple[dict[str, float], list[Metric], list[dict[str, Any]]]:
    """The mix that is best on the validation albums; metrics on the test albums; diagnostic rows of all that was tried.

    `parts` and `names` (album, artist_key, recording) have a row per track. The best mix has the lowest mean logarithm of
    the mates' ranks, and both kinds of mates count equally, so that neither improves at the expense of the other.
    """
    recordings = pd.factorize(names["recording"])[0]
    asked = queries(names)
    tried = np.zeros(len(MIXES))
    for kind in KINDS:
        found = ranks(parts, MIXES, asked[VALIDATION, kind], recordings)
        tried += log_ranks(found).mean(axis=1) / len(KINDS) if found.size else 0.0
    best = MIXES[least(numbered(tried))]
    diagnostics = [
        {"kind": "weights", "row": number, "population": CATALOGUE, "value": float(np.exp(value))}
        | {"label": ", ".join(f"{name} {share:g}" for name, share in mix.items()), "label_2": "geometric mean rank"}
        for number, (mix, value) in enumerate(zip(MIXES, tried, strict=True))
    ]
    metrics: list[Metric] = []
    for kind in KINDS:
        if listed := asked[TEST, kind]:
            mixes = {"content": best, **BASELINES}
            found = ranks(parts, list(mixes.values()), listed, recordings)
            metrics += _rank_metrics(kind, dict(zip(mixes, log_ranks(found), strict=True)))
            metrics += _recall_metrics(kind, dict(zip(mixes, recalls(found), strict=True)))
    return dict(best), metrics, diagnostics


def log_ranks(mate_ranks: np.ndarray) -> np.ndarray:
    """Per mix and query, the mean logarithm of its mates' ranks."""
    means: np.ndarray = np.nanmean(np.log(mate_ranks), axis=2)
    return means


def recalls(mate_ranks: np.ndarray) -> np.ndarray:
    """Per mix and query, the share (0-1) of its mates among the NEIGHBOURS nearest."""
    near = np.where(np.isnan(mate_ranks), np.nan, mate_ranks <= NEIGHBOURS)
    shares: np.ndarray = np.nanmean(near, axis=2)
    return shares


def _rank_metrics(kind: str, values: dict[str, np.ndarray]) -> list[Metric]:
    """Metrics of the geometric mean rank: ours compared with the best baseline, then the baselines."""
    best = least({name: float(values[name].mean()) for name in BASELINES})
    gain = values["content"] - values[best]
    low, high = mean_interval(gain)
    beside: dict[str, Any] = {"baseline": best, "baseline_value": float(np.exp(values[best].mean()))}
    beside |= {"skill": float(-np.expm1(gain.mean()))}
    if low is not None and high is not None:
        beside |= {"skill_low": float(-np.expm1(high)), "skill_high": float(-np.expm1(low))}
    title = f"geometric mean rank of album {kind}"
    return [_metric(title, name, values[name], np.exp, **(beside if name == "content" else {})) for name in values]


def _recall_metrics(kind: str, values: dict[str, np.ndarray]) -> list[Metric]:
    best = greatest({name: float(values[name].mean()) for name in BASELINES})
    beside = {"baseline": best, "baseline_value": float(values[best].mean())}
    title = f"recall@{NEIGHBOURS} of album {kind}"
    return [_metric(title, name, values[name], float, **(beside if name == "content" else {})) for name in values]


def _metric(title: str, name: str, values: np.ndarray, scale: Callable[[float], float], **others: Any) -> Metric:
    """The mean with its interval, both in the units that `scale` gives."""
    low, high = (None if end is None else float(scale(end)) for end in mean_interval(values))
    titled = title if name == "content" else f"{title}: {name}"
    return Metric(CATALOGUE, TEST, titled, value=float(scale(values.mean())), n=len(values), low=low, high=high, **others)
