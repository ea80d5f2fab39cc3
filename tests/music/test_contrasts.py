"""A group against the rest, with dates as clusters: worked by hand, planted, null and degenerate cases."""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping
from typing import Any

import pytest
from pyspark.sql import SparkSession

import silver.listening_with_features  # noqa: F401  (declares the table the frames are made of)
from music.contrasts import contrast_with_rest, feature_of_listens
from tests.frames import frame, play

Row = Mapping[str, Any]
MORNING, EVENING = "08:00:00", "20:00:00"


def valence_plays(days: Iterable[tuple[list[float], list[float]]], user: str = "me") -> list[Row]:
    """One date per element: the valences of its morning and of its evening."""
    rows: list[Row] = []
    for number, sides in enumerate(days):
        for clock, values in zip((MORNING, EVENING), sides, strict=True):
            for value in values:
                at = f"2024-01-{number + 1:02d} {clock}"
                rows.append(play(len(rows), at, user_id=user, valence=value, play_id=f"{user}{len(rows)}"))
    return rows


def contrast(spark: SparkSession, plays: list[Row], group: str = "part_of_day") -> dict[tuple[str, Any], dict[str, Any]]:
    history = frame(spark, "silver.listening_with_features", plays)
    contrasts = contrast_with_rest(history, group, {"valence": feature_of_listens("valence")})
    return {(row["user_id"], row[group]): row.asDict() for row in contrasts.collect()}


def test_standard_error_counts_a_date_as_one_observation(spark: SparkSession) -> None:
    """Five dates a side with two equal listens each: as if each date had been asked once.

    Mornings (dates 1-5) 0.1 0.2 0.3 0.4 0.5, mean 0.3; evenings (dates 6-10) all 0.2 higher, mean 0.5. Squares of the dates'
    means around their side's: 0.04 + 0.01 + 0 + 0.01 + 0.04 = 0.10, so a side's variance is 5 / 4 * 0.10 / 25 = 0.005, both 0.01,
    error 0.1, t = -2, 4 degrees of freedom: p = 0.116117, half interval 2.7764 * 0.1. The ten listens of a side have squares
    0.20, variance 0.20 / 9, so d = -0.2 / 0.149071 = -1.341641.
    """
    mornings = [([v, v], []) for v in (0.1, 0.2, 0.3, 0.4, 0.5)]
    evenings = [([], [v, v]) for v in (0.3, 0.4, 0.5, 0.6, 0.7)]
    got = contrast(spark, valence_plays([*mornings, *evenings]))
    row = got["me", "morning"]
    assert (row["n"], row["rest_n"], row["days"], row["rest_days"]) == (10, 10, 5, 5)
    assert row["mean"] == pytest.approx(0.3)
    assert row["rest_mean"] == pytest.approx(0.5)
    assert row["standard_error"] == pytest.approx(0.1)
    assert row["p_value"] == pytest.approx(0.116117, rel=1e-4)
    assert row["difference_low"] == pytest.approx(-0.47764, abs=2e-4)
    assert row["difference_high"] == pytest.approx(0.07764, abs=2e-4)
    assert row["effect_size"] == pytest.approx(-1.341641, abs=1e-6)
    assert row["stddev"] == pytest.approx(0.149071, abs=1e-6)
    mirrored = got["me", "evening"]
    assert mirrored["difference"] == pytest.approx(0.2)
    assert mirrored["p_value"] == pytest.approx(row["p_value"])


def test_what_moves_a_whole_date_is_no_difference_of_its_parts(spark: SparkSession) -> None:
    """Each date's evening is 0.1 above its morning, less or more 0.01, whatever the date's own level.

    Differences 0.11 0.09 0.11 0.09 0.10, mean 0.10: squares 4 * 0.0001, variance of their mean 5 / 4 * 0.0004 / 25 = 0.00002,
    error 0.004472: the levels, 0.2 to 0.6, do not enter.
    """
    levels = (0.2, 0.6, 0.3, 0.5, 0.4)
    shifts = (0.11, 0.09, 0.11, 0.09, 0.10)
    row = contrast(spark, valence_plays([([v], [v + s]) for v, s in zip(levels, shifts, strict=True)]))["me", "evening"]
    assert row["difference"] == pytest.approx(0.10)
    assert row["standard_error"] == pytest.approx(0.0044721, abs=1e-7)


def test_dates_of_unequal_size_weigh_by_their_listens(spark: SparkSession) -> None:
    """Mornings 0.2 (3 listens) and 0.6 (1): mean 0.3, sums of residuals -0.3 and 0.3, variance 2 / 1 * 0.18 / 16 = 0.0225.

    Evenings 0.4 and 0.8, one listen each on other dates: mean 0.6, variance 2 * (0.04 + 0.04) / 4 = 0.04. Error 0.25.
    """
    row = contrast(spark, valence_plays([([0.2] * 3, []), ([0.6], []), ([], [0.4]), ([], [0.8])]))["me", "morning"]
    assert row["standard_error"] == pytest.approx(0.25)
    assert (row["difference_low"], row["p_value"]) == (None, None), "two dates a side are too few for an interval"


def test_no_difference_has_effect_zero_and_constant_features_no_p_value(spark: SparkSession) -> None:
    same = contrast(spark, valence_plays([([0.1, 0.7], [0.7, 0.1])] * 6))["me", "morning"]
    assert (same["difference"], same["effect_size"]) == (0.0, 0.0)
    constant = contrast(spark, valence_plays([([0.3, 0.3, 0.3], [0.3])] * 7))["me", "morning"]
    assert (constant["difference"], constant["stddev"]) == (0.0, 0.0)
    assert (constant["effect_size"], constant["standard_error"], constant["p_value"]) == (None, None, None)


def test_one_date_and_one_group_give_nulls_not_errors(spark: SparkSession) -> None:
    one_date = contrast(spark, valence_plays([([0.1, 0.2], [0.5])]))["me", "morning"]
    assert one_date["difference"] == pytest.approx(-0.35)
    assert (one_date["standard_error"], one_date["difference_low"], one_date["p_value"]) == (None, None, None)
    single = contrast(spark, valence_plays([([0.4], [])]))["me", "morning"]
    assert (single["mean"], single["n"], single["rest_n"], single["rest_days"]) == (pytest.approx(0.4), 1, 0, 0)
    assert (single["stddev"], single["rest_mean"], single["difference"], single["effect_size"]) == (None, None, None, None)


def test_unknown_features_and_short_plays_do_not_count(spark: SparkSession) -> None:
    made_up = play(1, "2024-01-01 08:00:00", valence=0.9, feature_source="synthetic", is_measured=False)
    short = play(2, "2024-01-01 08:10:00", valence=0.9, is_listen=False)
    estimated = play(3, "2024-01-02 08:00:00", valence=0.2, feature_source="artist_mean", is_measured=False)
    none = play(4, "2024-01-03 20:00:00", valence=None, feature_source=None, is_measured=False)
    got = contrast(spark, [made_up, short, estimated, none])
    morning, evening = got["me", "morning"], got["me", "evening"]
    assert (morning["plays"], morning["listens"], morning["n"], morning["days"]) == (3, 2, 1, 1)
    assert (morning["mean"], morning["measured_share"]) == (pytest.approx(0.2), 0.0)
    assert (evening["n"], evening["days"], evening["mean"], evening["listens"]) == (0, 0, None, 1)


def test_a_listener_of_whom_no_value_is_known_counts_nothing(spark: SparkSession) -> None:
    plays = [play(1, f"2024-01-01 {MORNING}", valence=None), play(2, f"2024-01-01 {EVENING}", valence=None)]
    rows = contrast(spark, plays)
    assert set(rows) == {("me", "morning"), ("me", "evening")}
    for row in rows.values():
        assert [row[name] for name in ("plays", "listens", "n", "days", "rest_n", "rest_days")] == [1, 1, 0, 0, 0, 0]
        assert [row[name] for name in ("mean", "rest_mean", "difference", "p_value")] == [None] * 4


def test_planted_effect_is_found_and_correlated_noise_is_not(spark: SparkSession) -> None:
    """Twenty dates; `planted` plays 0.15 happier evenings. `noisy` draws one level a date, for ten listens of one part of day:

    two hundred listens that a test of single listens would take for a difference more often than not.
    """
    generator = random.Random(7)  # noqa: S311
    planted = [([generator.gauss(0.4, 0.1) for _ in range(6)], [generator.gauss(0.55, 0.1) for _ in range(6)]) for _ in range(20)]
    levels = [generator.gauss(0.5, 0.1) for _ in range(20)]
    noisy = [([v] * 10, []) if number % 2 else ([], [v] * 10) for number, v in enumerate(levels)]
    got = contrast(spark, valence_plays(planted, "planted") + valence_plays(noisy, "noisy"))
    found, null = got["planted", "evening"], got["noisy", "evening"]
    assert found["p_value"] < 1e-6
    assert found["difference_low"] < 0.15 < found["difference_high"]
    assert found["effect_size"] > 1
    assert null["p_value"] > 0.05
    assert null["difference_low"] < 0 < null["difference_high"]


def test_listeners_do_not_mix_and_order_does_not_matter(spark: SparkSession) -> None:
    generator = random.Random(3)  # noqa: S311
    mine = valence_plays([([generator.random(), generator.random()], [generator.random()]) for _ in range(8)])
    other = valence_plays([([0.9], [0.1])] * 6, "other")
    alone, together = contrast(spark, mine), contrast(spark, [*other, *mine])
    shuffled = contrast(spark, generator.sample([*other, *mine], len(mine) + len(other)))
    assert set(alone) == {("me", "morning"), ("me", "evening")}
    for key, row in alone.items():
        for name in ("difference", "standard_error", "effect_size", "p_value"):
            assert together[key][name] == pytest.approx(row[name], rel=1e-9)
            assert shuffled[key][name] == pytest.approx(row[name], rel=1e-9)
    assert together["other", "morning"]["difference"] == pytest.approx(0.8)
    assert together["other", "morning"]["effect_size"] is None, "two constants have no spread to measure in"
