"""Features of the next listen: by hand, and nothing of the listen itself or of the future in them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

import silver.listening_with_features
import silver.users  # noqa: F401
from features.valence_history import FEATURES, with_history
from tests.frames import play
from tests.models.listens import listening, moody_plays

Transform = Callable[[DataFrame], DataFrame]


def by_play(result: DataFrame) -> dict[str, dict[str, Any]]:
    return {row["play_id"]: row for row in result.toArrow().to_pylist()}


def features_that_know_the_future(spark: SparkSession, transform: Transform, plays: list[dict[str, Any]], of: int) -> set[str]:
    """Which columns of play number `of` change when its track and everything after it are exchanged."""
    other = [
        row
        | {
            "valence": 1 - row["valence"],
            "energy": 0.99,
            "tempo": 61.0,
            "mode": 0,
            "track_id": "x",
            "artist_key": "x",
            "album_key": "x",
        }
        if i >= of
        else row
        for i, row in enumerate(plays)
    ]
    before, after = (by_play(transform(listening(spark, rows)))[plays[of]["play_id"]] for rows in (plays, other[: of + 3]))
    return {name for name in before if name not in ("valence", "energy", "tempo") and before[name] != after[name]}


def test_no_feature_knows_the_listen_or_the_future(spark: SparkSession) -> None:
    plays = moody_plays(6)
    for number in (0, 1, 10, 25, 40):
        assert features_that_know_the_future(spark, with_history, plays, number) == set()


def test_a_planted_leak_is_caught(spark: SparkSession) -> None:
    def leaky(plays: DataFrame) -> DataFrame:
        return with_history(plays).withColumn("leak", F.col("valence") * 0.5)

    assert features_that_know_the_future(spark, leaky, moody_plays(6), 25) == {"leak"}


def test_features_by_hand(spark: SparkSession) -> None:
    """Monday 10:00, 10:10 (session 1), Monday a week later 10:00 (session 2); a short and an unmeasured play between."""
    plays = [
        play(1, "2024-01-01 10:00:00", valence=0.2, session_id="s1", artist_key="a", track_id="t1"),
        play(2, "2024-01-01 10:05:00", valence=0.9, session_id="s1", is_listen=False),
        play(3, "2024-01-01 10:06:00", valence=0.9, session_id="s1", feature_source="artist_mean", is_measured=False),
        play(4, "2024-01-01 10:10:00", valence=0.6, session_id="s1", artist_key="b", track_id="t2"),
        play(5, "2024-01-08 10:00:00", valence=0.5, session_id="s2", artist_key="a", track_id="t1"),
        play(6, "2024-01-08 10:04:00", valence=0.7, session_id="s2", artist_key="c", track_id="t3"),
    ]
    got = by_play(with_history(listening(spark, plays)))
    assert set(got) == {"p001", "p004", "p005", "p006"}
    first, second, third, last = (got[name] for name in ("p001", "p004", "p005", "p006"))
    assert (first["valence_1"], first["slow_mean"], first["is_same_session"]) == (None, None, 0.0)
    assert (second["valence_1"], second["mean_so_far"], second["is_same_session"]) == (0.2, 0.2, 1.0)
    assert second["minutes_since"] == pytest.approx(2.0794415), "log(1 + 7): 10:10 less 10:03"
    assert (third["valence_1"], third["valence_2"], third["is_same_session"]) == (0.6, 0.2, 0.0)
    assert third["fast_mean"] == pytest.approx((0.3 * 0.6 + 0.21 * 0.2) / 0.51)
    assert third["session_mean"] == pytest.approx(0.4), "nothing of the session yet: the mean of all"
    mean = (0.2 + 0.6 + 0.5) / 3
    assert last["session_mean"] == pytest.approx((0.5 + 3 * mean) / 4)
    assert last["hour_of_week_mean"] == pytest.approx((1.3 + 20 * mean) / 23), "the hour of week has all three"
    assert last["artist_mean_so_far"] == pytest.approx((0.2 + 0.5) / 2), "of artist a, just heard"
    assert last["after_artist_mean"] == pytest.approx((0.6 + 5 * mean) / 6), "after a came 0.6 once"


def test_listeners_and_row_order_are_apart(spark: SparkSession) -> None:
    plays = moody_plays(4)
    alone = by_play(with_history(listening(spark, plays)))
    both = by_play(with_history(listening(spark, [*moody_plays(5, "other", 2), *plays][::-1])))
    assert set(FEATURES) <= set(alone["me-0000-0"])
    assert {name: both[name] for name in alone} == alone
