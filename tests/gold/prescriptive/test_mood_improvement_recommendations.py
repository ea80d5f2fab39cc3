"""Tracks after which sessions went on brighter: the method against its formulas, a planted track, a placebo, dislikes."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from pyspark.sql import SparkSession

import silver.dislikes
import silver.listening_with_features  # noqa: F401
from gold.prescriptive.mood.mood_improvement_recommendations import mood_improvement_recommendations
from tests.frames import collect, frame, play
from tests.gold.prescriptive.histories import rounded, session
from tests.silver.rows import recordings_of

TABLE = "gold.mood_improvement_recommendations"
LIFTS = "t03"


def recommended(
    spark: SparkSession, plays: list[dict[str, Any]], *disliked: str, explicit: tuple[str, ...] = (), clean: bool = False
) -> list[dict[str, Any]]:
    unwanted = frame(spark, "silver.dislikes", [{"user_id": "me", "track_id": track} for track in disliked])
    listed = [{"track_id": t, "track_name": f"Track {t}", "artists": ["Artist 1"], "explicit": True} for t in explicit]
    catalogue = recordings_of(spark, frame(spark, "silver.catalogue", listed))
    heard = frame(spark, "silver.listening_with_features", plays)
    rows = collect(TABLE, mood_improvement_recommendations(heard, catalogue, unwanted, exclude_explicit=clean))
    return sorted(rows, key=lambda row: (row["user_id"], row["rank"]))


def sessions(lift: float, count: int = 80, seed: int = 1) -> list[dict[str, Any]]:
    """Sessions of 10 listens of 12 tracks around a mood of their own; after LIFTS the next three are brighter by `lift`."""
    rng = np.random.default_rng(seed)
    rows = []
    for day in range(count):
        level = rng.uniform(0.35, 0.55)
        tracks = [f"t{n:02d}" for n in rng.integers(0, 12, 10)]
        raised = [LIFTS in tracks[max(0, nth - 3) : nth] for nth in range(10)]
        rows += session(day, [float(np.clip(rng.normal(level + lift * up, 0.1), 0, 1)) for up in raised], tracks)
    return rows


def by_hand(plays: list[dict[str, Any]]) -> dict[str, dict[str, float]]:
    """The formulas of the docstring, in numpy."""
    whole: dict[str, list[dict[str, Any]]] = {}
    for row in plays:
        whole.setdefault(row["session_id"], []).append(row)
    seen = []
    for name, rows in whole.items():
        valence = [row["valence"] for row in rows]
        for nth in range(1, len(rows) - 1):
            around = np.mean(valence[max(0, nth - 3) : nth]), np.mean(valence[nth + 1 : nth + 4])
            seen.append((rows[nth]["track_id"], name, *around))
    before, after = (np.array([row[place] for row in seen]) for place in (2, 3))
    slope, level = np.polyfit(before, after, 1)
    rises: dict[str, dict[str, list[float]]] = {}
    for (track, name, _, _), rise in zip(seen, after - level - slope * before, strict=True):
        rises.setdefault(track, {}).setdefault(name, []).append(rise)
    groups = {track: np.array([np.mean(r) for r in own.values()]) for track, own in rises.items() if len(own) >= 3}
    n, mean = (np.array([f(own) for own in groups.values()]) for f in (len, np.mean))
    within = sum(np.var(own) * len(own) for own in groups.values()) / np.sum(n - 1)
    centre = np.average(mean, weights=n)
    among = np.sum(n * (mean - centre) ** 2) / (len(n) - 1)
    between = max(0.0, (among - within) / ((n.sum() - np.sum(n**2) / n.sum()) / (len(n) - 1)))
    kept = between / (between + within / n)
    half = 1.959963984540054 * np.sqrt(kept * within / n + (1 - kept) ** 2 * within / n.sum())
    figures = zip(groups, n, mean, centre + kept * (mean - centre), half, kept, strict=True)
    return {
        track: {"n": size, "observed_rise": observed, "expected_rise": rise, "rise_low": rise - h, "reliability": k}
        | {"p_value": math.erfc(abs(observed) / math.sqrt(within / size) / 2**0.5)}
        for track, size, observed, rise, h, k in figures
    }


def test_the_figures_are_those_of_the_formulas(spark: SparkSession) -> None:
    plays = sessions(0.15)
    found, expected = recommended(spark, plays), by_hand(plays)
    assert {row["track_id"] for row in found} == {track for track, own in expected.items() if own["expected_rise"] > 0}
    for row in found:
        own = expected[row["track_id"]]
        assert {name: row[name] for name in own} == pytest.approx(own, rel=1e-5), row["track_id"]
        assert row["tracks_compared"] == len(expected) == 12


def test_a_track_that_goes_with_a_rise_is_found_and_alone_claimed(spark: SparkSession) -> None:
    found = recommended(spark, sessions(0.25))
    assert (found[0]["track_id"], found[0]["rank"], found[0]["is_beyond_chance"]) == (LIFTS, 1, True)
    assert found[0]["rise_low"] > 0.05
    assert found[0]["track_name"] == f"Track {LIFTS}"
    assert not [row["track_id"] for row in found[1:] if row["is_beyond_chance"]]
    reason = found[0]["recommendation_reason"]
    assert reason.startswith(f"In {found[0]['n']} sessions the next listens were brighter than expected by 0.")
    assert "what causes it is not known" in reason
    assert all("no more than chance may do" in row["recommendation_reason"] for row in found[1:])
    assert found[0]["days"] == found[0]["n"] >= 10


@pytest.mark.parametrize(("count", "dates"), [(12, 12), (80, 7)])
def test_few_sessions_or_days_claim_nothing(spark: SparkSession, count: int, dates: int) -> None:
    plays = [row | {"date": row["date"].replace(year=2020, month=1, day=1 + day_of(row) % dates)} for row in sessions(0.4, count)]
    found = {row["track_id"]: row for row in recommended(spark, plays)}[LIFTS]
    assert found["p_corrected"] < 0.001
    assert found["rise_low"] > 0
    assert found["n"] < 10 or found["days"] < 8
    assert not found["is_beyond_chance"]
    assert ": too few sessions to tell from chance" in found["recommendation_reason"]


def day_of(row: dict[str, Any]) -> int:
    return int(row["session_id"][1:])


@pytest.mark.parametrize("seed", range(4))
def test_no_effect_no_claim(seed: int, spark: SparkSession) -> None:
    plays = sessions(0.25, seed=seed)
    mixed = np.random.default_rng(seed).permutation([row["track_id"] for row in plays])
    placebo = [row | {"track_id": str(track)} for row, track in zip(plays, mixed, strict=True)]
    found = recommended(spark, placebo)
    assert [row["track_id"] for row in found if row["is_beyond_chance"]] == []


def test_explicit_tracks_are_left_out_where_that_is_wanted(spark: SparkSession) -> None:
    plays = sessions(0.25)
    everything = recommended(spark, plays, explicit=(LIFTS,))
    assert everything[0]["track_id"] == LIFTS
    clean = recommended(spark, plays, explicit=(LIFTS,), clean=True)
    assert [row["track_id"] for row in clean] == [row["track_id"] for row in everything[1:]]
    assert [row["rank"] for row in clean] == list(range(1, len(everything)))


def test_dislikes_other_listeners_and_order(spark: SparkSession) -> None:
    plays = sessions(0.25)
    assert LIFTS not in {row["track_id"] for row in recommended(spark, plays, LIFTS)}
    hers = [row | {"user_id": "ann", "play_id": "x" + row["play_id"]} for row in sessions(0.0, 30, seed=9)]
    together = [*plays, *hers]
    shuffled = [together[i] for i in np.random.default_rng(2).permutation(len(together))]
    found = recommended(spark, shuffled)
    assert rounded([row for row in found if row["user_id"] == "me"]) == rounded(recommended(spark, plays))


def test_too_little_unknown_and_nothing(spark: SparkSession) -> None:
    assert recommended(spark, []) == []
    assert recommended(spark, [play(1, "2024-01-01 10:00:00")]) == []
    made_up = [row | {"feature_source": "synthetic", "is_measured": False} for row in sessions(0.25, 20)]
    assert recommended(spark, made_up) == []
    one_mood = [row | {"valence": 0.5} for row in sessions(0.0, 20)]
    assert recommended(spark, one_mood) == []
