"""Hours against a listener's other hours: means by hand, who counts, and the correction over hours and features."""

from __future__ import annotations

import pytest
from pyspark.sql import SparkSession

import silver.listening_with_features  # noqa: F401
from gold.diagnostic.mood_time_correlations import mood_time_correlations
from tests.frames import collect, frame, play

TABLE = "gold.mood_time_correlations"
Rows = list[dict[str, object]]


def run(spark: SparkSession, plays: Rows) -> list[dict[str, object]]:
    return collect(TABLE, mood_time_correlations(frame(spark, "silver.listening_with_features", plays)))


def test_means_spread_and_sample_of_an_hour(spark: SparkSession) -> None:
    """Hour 8: valence 0.2 and 0.6 on two dates (mean 0.4, deviation sqrt(0.08) = 0.282843); hour 20: 0.7; two do not count."""
    early, late = run(
        spark,
        [
            play(1, "2024-01-01 08:00:00", valence=0.2, energy=0.4, danceability=0.1, acousticness=0.9),
            play(2, "2024-01-02 08:59:59", valence=0.6, energy=0.5, danceability=0.3, acousticness=0.8, is_measured=False),
            play(3, "2024-01-02 08:30:00", valence=1.0, energy=1.0, feature_source="synthetic", is_measured=False),
            play(4, "2024-01-03 08:30:00", valence=1.0, energy=1.0, is_listen=False),
            play(5, "2024-01-01 20:00:00", valence=0.7, energy=0.9),
        ],
    )
    assert {early["hour_of_day"], late["hour_of_day"]} == {8, 20}
    early, late = sorted((early, late), key=lambda row: str(row["hour_of_day"]).zfill(2))
    assert (early["sample_size"], early["days"], early["listens"]) == (2, 2, 3)
    assert early["avg_valence"] == pytest.approx(0.4)
    assert early["avg_energy"] == pytest.approx(0.45)
    assert early["avg_danceability"] == pytest.approx(0.2)
    assert early["avg_acousticness"] == pytest.approx(0.85)
    assert early["valence_stddev"] == pytest.approx(0.282843, abs=1e-6)
    assert early["energy_stddev"] == pytest.approx(0.0707107, abs=1e-6)
    assert early["measured_share"] == pytest.approx(1 / 3)
    assert early["valence_difference"] == pytest.approx(-0.3)
    assert early["energy_difference"] == pytest.approx(-0.45)
    assert (late["sample_size"], late["valence_stddev"], late["valence_p_value"]) == (1, None, None)
    assert late["valence_is_significant"] is False


def test_hour_without_known_features_has_no_figures(spark: SparkSession) -> None:
    (row,) = run(spark, [play(1, "2024-01-01 03:00:00", feature_source="synthetic", is_measured=False)])
    assert (row["hour_of_day"], row["sample_size"], row["days"], row["listens"]) == (3, 0, 0, 1)
    assert (row["avg_valence"], row["valence_difference"], row["valence_effect_size"]) == (None, None, None)
    assert row["measured_share"] == 0.0


def test_two_hours_are_corrected_for_four_tests(spark: SparkSession) -> None:
    """Two hours on the same six dates: both say the same of valence and of energy, so 4 tests with two equal pairs of p-values.

    Valence has the small p: 4 times it; energy the large one: 2 times it. Danceability differs too, but is not tested.
    """
    plays: Rows = []
    for day, valence, energy in zip(
        range(1, 7), (0.30, 0.32, 0.28, 0.31, 0.29, 0.33), (0.5, 0.6, 0.4, 0.52, 0.63, 0.5), strict=True
    ):
        plays.append(play(2 * day, f"2024-01-0{day} 08:00:00", valence=0.2, energy=0.5))
        plays.append(play(2 * day + 1, f"2024-01-0{day} 20:00:00", valence=valence, energy=energy, danceability=energy))
    rows = run(spark, plays)
    assert sorted(row["hour_of_day"] for row in rows) == [8, 20]
    for row in rows:
        assert row["valence_p_value"] < 0.001
        assert row["energy_p_value"] > 0.1
        assert row["valence_p_corrected"] == pytest.approx(4 * row["valence_p_value"], rel=1e-6)
        assert row["energy_p_corrected"] == pytest.approx(min(1.0, 2 * row["energy_p_value"]), rel=1e-6)
        assert (row["valence_is_significant"], row["energy_is_significant"]) == (True, False)
        assert row["valence_difference_low"] < row["valence_difference"] < row["valence_difference_high"]


def test_two_listeners_are_apart(spark: SparkSession) -> None:
    mine = [play(1, "2024-01-01 08:00:00", valence=0.2), play(2, "2024-01-01 09:00:00", valence=0.4)]
    other = [play(3, "2024-01-01 08:00:00", valence=0.9, user_id="other")]
    rows = run(spark, [*mine, *other])
    assert [row for row in rows if row["user_id"] == "me"] == run(spark, mine)
    assert [(row["avg_valence"], row["valence_difference"]) for row in rows if row["user_id"] == "other"] == [(0.9, None)]
