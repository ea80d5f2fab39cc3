"""Pairs of consecutive moods: which form, and their statistics by hand."""

from __future__ import annotations

import math
import random
from typing import Any

import pytest
from pyspark.sql import SparkSession

import silver.listening_with_features  # noqa: F401
from gold.diagnostic.mood_shift_patterns import mood_shift_patterns
from tests.frames import collect, frame, play

TABLE = "gold.mood_shift_patterns"
HAPPY, SAD, NEUTRAL = "Happy_Energetic", "Sad_Calm", "Neutral"
VALENCE = {HAPPY: 0.8, SAD: 0.2, NEUTRAL: 0.5}
Shifts = dict[tuple[str, str, str], dict[str, Any]]


def run(spark: SparkSession, plays: list[dict[str, Any]]) -> Shifts:
    rows = collect(TABLE, mood_shift_patterns(frame(spark, "silver.listening_with_features", plays)))
    return {(row["user_id"], row["from_mood"], row["to_mood"]): row for row in rows}


def session(moods: str, user: str = "me", name: str = "s1") -> list[dict[str, Any]]:
    """One listen a minute, H, S or N each; ids run against the time, so that only played_at can order them."""
    named = [{"H": HAPPY, "S": SAD, "N": NEUTRAL}[letter] for letter in moods]
    return [
        play(
            900 - i,
            f"2024-01-01 10:{i:02d}:00",
            user_id=user,
            session_id=name,
            play_id=f"{name}{900 - i}",
            mood_category=mood,
            valence=VALENCE[mood],
            energy=VALENCE[mood],
        )
        for i, mood in enumerate(named)
    ]


def test_cells_by_hand(spark: SparkSession) -> None:
    """H H H H S S S H N: pairs HH 3, HS 1, SS 2, SH 1, HN 1; from H 5, from S 3; to H 4, to S 3, to N 1; 8 in all.

    HH: expected 5 * 4 / 8 = 2.5, lift 1.2, share 3 / 5; residual 0.5 / sqrt(2.5 * 3/8 * 4/8) = 0.730297, so p = 0.465209;
    Var(log lift) = 1/3 - 1/5 - 1/4 - 1/8 + 2 * 3 / 20 = 0.058333, half 1.959964 * 0.241523 = 0.473376.
    """
    got = run(spark, session("HHHHSSSHN"))
    assert {(a, b): row["shifts"] for (_, a, b), row in got.items()} == {
        (HAPPY, HAPPY): 3,
        (HAPPY, SAD): 1,
        (HAPPY, NEUTRAL): 1,
        (SAD, SAD): 2,
        (SAD, HAPPY): 1,
    }
    row = got["me", HAPPY, HAPPY]
    assert (row["from_total"], row["share"], row["expected"]) == (5, pytest.approx(0.6), pytest.approx(2.5))
    assert row["lift"] == pytest.approx(1.2)
    assert row["p_value"] == pytest.approx(0.465209, abs=1e-5)
    assert row["lift_low"] == pytest.approx(1.2 * math.exp(-0.473376), abs=1e-5)
    assert row["lift_high"] == pytest.approx(1.2 * math.exp(0.473376), abs=1e-5)
    assert row["share_low"] == pytest.approx(0.230724, abs=1e-5), "Wilson of 3 in 5"
    assert row["share_high"] == pytest.approx(0.882379, abs=1e-5)
    fall = got["me", HAPPY, SAD]
    assert (fall["avg_valence_change"], fall["avg_energy_change"]) == (pytest.approx(-0.6), pytest.approx(-0.6))
    assert (fall["avg_valence_distance"], fall["shift_magnitude"]) == (pytest.approx(0.6), "large")
    assert (row["shift_magnitude"], got["me", HAPPY, NEUTRAL]["shift_magnitude"]) == ("none", "medium")
    for mood in (HAPPY, SAD):
        assert sum(row["share"] for (_, start, _), row in got.items() if start == mood) == pytest.approx(1.0)


def test_unknown_moods_and_sessions_break_the_chain_and_short_plays_do_not(spark: SparkSession) -> None:
    plays = session("HSHSH")
    plays[1] |= {"feature_source": "synthetic", "is_measured": False}
    plays[3] |= {"is_listen": False}
    got = run(spark, [*plays, *session("S", name="s2")])
    assert {key[1:]: row["shifts"] for key, row in got.items()} == {(HAPPY, HAPPY): 1}


def test_ties_in_time_are_ordered_by_play_id(spark: SparkSession) -> None:
    first, second = session("HS")
    second["played_at"] = first["played_at"]
    assert set(run(spark, [first, second])) == {("me", SAD, HAPPY)}, "the sad play has the lower id"


def test_only_one_mood_cannot_be_tested(spark: SparkSession) -> None:
    row = run(spark, session("NNNN"))["me", NEUTRAL, NEUTRAL]
    assert (row["shifts"], row["share"], row["lift"]) == (3, 1.0, 1.0)
    assert (row["lift_low"], row["p_value"], row["p_corrected"], row["is_significant"]) == (None, None, None, False)
    assert run(spark, session("N")) == {}


def test_pair_is_measured_when_both_ends_are(spark: SparkSession) -> None:
    plays = session("NNNN")
    plays[0] |= {"feature_source": "artist_mean", "is_measured": False}
    plays[3] |= {"feature_source": "artist_mean", "is_measured": False}
    assert run(spark, plays)["me", NEUTRAL, NEUTRAL]["measured_share"] == pytest.approx(1 / 3)


def test_sticky_moods_are_found_random_ones_are_not_and_listeners_are_apart(spark: SparkSession) -> None:
    generator = random.Random(5)  # noqa: S311
    sticky = session("HHHHHHHHHHSSSSSSSSSS" * 2, "sticky", "a")
    loose = session("".join(generator.choice("HS") for _ in range(50)), "loose", "b")
    got = run(spark, generator.sample([*sticky, *loose], 90))
    assert got["sticky", HAPPY, HAPPY]["is_significant"] is True
    assert got["sticky", HAPPY, HAPPY]["lift_low"] > 1
    assert got["sticky", HAPPY, SAD]["lift_high"] < 1
    assert [row["is_significant"] for (user, _, _), row in got.items() if user == "loose"] == [False] * 4
    alone = run(spark, sticky)
    assert {key: row["shifts"] for key, row in got.items() if key[0] == "sticky"} == {k: r["shifts"] for k, r in alone.items()}
    assert alone["sticky", HAPPY, SAD]["lift"] == pytest.approx(got["sticky", HAPPY, SAD]["lift"])
