"""Correlations over tracks and over listens: by hand, constant and unknown features, and what repeats are worth."""

from __future__ import annotations

import itertools
import random
from typing import Any

import pytest
from pyspark.sql import SparkSession

import silver.listening_with_features  # noqa: F401
from gold.diagnostic.feature_correlations import feature_correlations
from tests.frames import NINE_FEATURES, collect, frame, play

TABLE = "gold.feature_correlations"
Key = tuple[str, str, str, str]


def run(spark: SparkSession, plays: list[dict[str, Any]]) -> dict[Key, dict[str, Any]]:
    rows = collect(TABLE, feature_correlations(frame(spark, "silver.listening_with_features", plays)))
    return {(r["user_id"], r["weighting"], r["feature_1"], r["feature_2"]): r for r in rows}


def tracks(values: list[tuple[float, float, int]], user: str = "me", **changes: Any) -> list[dict[str, Any]]:
    """(energy, valence, listens) of one track after another."""
    return [
        play(0, "2024-01-01 10:00:00", play_id=f"{user}{t}.{i}", user_id=user, track_id=f"t{t}", energy=e, valence=v, **changes)
        for t, (e, v, count) in enumerate(values)
        for i in range(count)
    ]


HAND = [(0.1, 0.3, 3), (0.2, 0.1, 1), (0.3, 0.4, 1), (0.4, 0.2, 1)]


def test_tracks_count_once_and_listens_each(spark: SparkSession) -> None:
    """Tracks: deviations of energy -1.5 -0.5 0.5 1.5, of valence 0.5 -1.5 1.5 -0.5: products -0.75 + 0.75 + 0.75 - 0.75 = 0.

    Listens (weights 3 1 1 1): means 0.2 and 0.266667; Sxy = (3 * -1 * 1/3) + 0 + (1 * 4/3) + (2 * -2/3) = -1, Sxx = 8,
    Syy = 3/9 + 25/9 + 16/9 + 4/9 = 48/9 (in tenths squared), r = -1 / sqrt(42.6667) = -0.153093. Kish: 6^2 / (9 + 3) = 3.
    """
    got = run(spark, tracks(HAND))
    once, each = got["me", "tracks", "energy", "valence"], got["me", "listens", "energy", "valence"]
    assert once["correlation"] == pytest.approx(0.0, abs=1e-12)
    assert (once["n"], once["observations"], once["effective_n"], once["strength"]) == (4, 4, 4.0, "negligible")
    assert each["correlation"] == pytest.approx(-0.153093, abs=1e-6)
    assert (each["n"], each["observations"], each["effective_n"], each["strength"]) == (4, 6, pytest.approx(3.0), "weak")
    assert once["correlation_high"] == pytest.approx(0.961082, abs=1e-4), "tanh(1.959964 / sqrt(4 - 3))"
    assert (each["correlation_low"], each["p_value"]) == (None, None), "three tracks' worth has no interval"


def test_all_pairs_in_order_and_constant_features_null(spark: SparkSession) -> None:
    got = run(spark, tracks(HAND))
    pairs = itertools.combinations(sorted(NINE_FEATURES), 2)
    assert set(got) == {("me", w, a, b) for a, b in pairs for w in ("tracks", "listens")}
    constant = got["me", "tracks", "danceability", "energy"]
    assert (constant["correlation"], constant["strength"], constant["p_value"], constant["is_significant"]) == (
        *(None, None, None),
        False,
    )
    assert sum(row["correlation"] is not None for row in got.values()) == 2


def test_unknown_features_enter_nothing(spark: SparkSession) -> None:
    """Synthetic and short plays leave no trace, and a track without tempo counts in no pair."""
    plays = tracks([(0.1, 0.1, 1), (0.5, 0.6, 1), (0.9, 0.8, 1), (0.2, 0.9, 1)])
    plays += [
        play(1, "2024-01-02 10:00:00", track_id="made", energy=0.0, valence=1.0, feature_source="synthetic", is_measured=False)
    ]
    plays += [play(2, "2024-01-02 10:00:00", track_id="short", energy=0.0, valence=1.0, is_listen=False)]
    for number, tempo in enumerate((110.0, 160.0, 180.0, None)):
        plays[number]["tempo"] = tempo
    got = run(spark, plays)
    row = got["me", "tracks", "energy", "tempo"]
    assert (row["n"], row["measured_share"]) == (3, 0.8)
    assert row["correlation"] == pytest.approx(0.970725, abs=1e-6)
    assert {found["n"] for found in got.values()} == {3}


def test_single_play_has_no_correlation(spark: SparkSession) -> None:
    got = run(spark, tracks([(0.1, 0.3, 1)]))
    assert {row["correlation"] for row in got.values()} == {None}
    assert {row["n"] for row in got.values()} == {1}


def test_planted_correlation_found_listeners_apart_and_order_free(spark: SparkSession) -> None:
    generator = random.Random(11)  # noqa: S311
    energies = [generator.random() for _ in range(40)]
    linked = tracks([(e, 0.5 * e + 0.1 * generator.random(), generator.randint(1, 3)) for e in energies])
    loose = tracks([(e, generator.random(), 1) for e in energies], "other")
    got, alone = run(spark, [*loose, *linked]), run(spark, generator.sample(linked, len(linked)))
    found, null = got["me", "listens", "energy", "valence"], got["other", "listens", "energy", "valence"]
    assert (found["is_significant"], found["strength"]) == (True, "strong")
    assert found["correlation_low"] < found["correlation"] < found["correlation_high"]
    assert (null["is_significant"], null["correlation_low"] < 0 < null["correlation_high"]) == (False, True)
    assert alone["me", "listens", "energy", "valence"]["correlation"] == pytest.approx(found["correlation"], rel=1e-9)
