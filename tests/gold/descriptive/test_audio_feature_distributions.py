"""Distributions of known values over listens, exact percentiles."""

from __future__ import annotations

import pytest
from pyspark.sql import SparkSession

from gold.descriptive.audio_feature_distributions import audio_feature_distributions
from tests.frames import NINE_FEATURES, play
from tests.gold.descriptive.plays import computed


def test_percentiles_interpolate_between_known_listens(spark: SparkSession) -> None:
    rows = [play(n, f"2024-01-01 10:{n:02d}:00", valence=value) for n, value in enumerate([0.0, 0.1, 0.2, 0.4, 0.8])]
    rows += [
        play(10, "2024-01-01 11:00:00", valence=1.0, feature_source="synthetic", is_measured=False),
        play(11, "2024-01-01 11:10:00", valence=1.0, ms_played=10),
        play(12, "2024-01-01 11:20:00", valence=None, feature_source=None, is_measured=False),
    ]
    (row,) = [r for r in computed(spark, audio_feature_distributions, rows) if r["feature_name"] == "valence"]
    assert (row["n"], row["min"], row["max"], row["median"]) == (5, 0.0, 0.8, 0.2)
    assert row["mean"] == pytest.approx(0.3)
    assert row["std_dev"] == pytest.approx(0.1**0.5)
    assert [row[f"p{d}0"] for d in range(1, 10)] == pytest.approx([0.04, 0.08, 0.12, 0.16, 0.2, 0.28, 0.36, 0.48, 0.64])
    assert row["measured_share"] == pytest.approx(5 / 7)


def test_a_single_listen_has_every_feature_and_no_spread(spark: SparkSession) -> None:
    rows = computed(spark, audio_feature_distributions, [play(1, "2024-01-01 10:00:00", loudness=-8.5)])
    assert [r["feature_name"] for r in rows] == sorted(NINE_FEATURES)
    assert {r["std_dev"] for r in rows} == {None}
    (loudness,) = [r for r in rows if r["feature_name"] == "loudness"]
    assert {loudness[name] for name in ("min", "p10", "median", "p90", "max", "mean")} == {-8.5}


def test_unknown_features_have_no_row_and_listeners_do_not_mix(spark: SparkSession) -> None:
    rows = [
        play(1, "2024-01-01 10:00:00", tempo=None, energy=0.1),
        play(2, "2024-01-01 10:00:00", user_id="you", energy=0.9),
        play(3, "2024-01-01 10:00:00", user_id="nobody", feature_source="synthetic", is_measured=False),
    ]
    found = {(r["user_id"], r["feature_name"]): r["mean"] for r in computed(spark, audio_feature_distributions, rows)}
    assert ("me", "tempo") not in found
    assert (found["me", "energy"], found["you", "energy"]) == (0.1, 0.9)
    assert not [key for key in found if key[0] == "nobody"]
