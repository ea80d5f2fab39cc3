"""Times and sessions below a listener's usual: planted ones are found, chance is not, and a row says when there is nothing."""

from __future__ import annotations

import datetime as dt
import math
from typing import Any

import numpy as np
import pytest
from pyspark.sql import SparkSession

import silver.listening_with_features  # noqa: F401
from gold.diagnostic.mood_time_correlations import mood_time_correlations
from gold.prescriptive.mood.low_mood import compared_sessions
from gold.prescriptive.mood.mood_intervention_triggers import mood_intervention_triggers
from tests.frames import collect, frame, play
from tests.gold.prescriptive.histories import history, rounded, session

TABLE, PLAYS = "gold.mood_intervention_triggers", "silver.listening_with_features"
MEDICAL = ("depress", "sad", "therap", "symptom", "disorder", "ill", "health", "treat", "patient", "risk")


def triggers(spark: SparkSession, plays: list[dict[str, Any]]) -> list[dict[str, Any]]:
    heard = frame(spark, PLAYS, plays)
    return collect(TABLE, mood_intervention_triggers(heard, mood_time_correlations(heard)))


def any_mood(_: dt.datetime, rng: np.random.Generator) -> float:
    return rng.uniform(0.3, 0.8)


def low_on_mondays(at: dt.datetime, rng: np.random.Generator) -> float:
    return rng.uniform(0.3, 0.8) - (0.2 if at.weekday() == 0 else 0.0)


def test_low_mondays_are_found_and_nothing_else_of_the_week(spark: SparkSession) -> None:
    plays = history(7 * 26, 6, low_on_mondays)
    found = triggers(spark, plays)
    times = [row for row in found if row["trigger_kind"] != "session"]
    assert {row["day_of_week"] for row in times} == {1}
    [monday] = [row for row in times if row["trigger_kind"] == "day_of_week"]
    mondays = [row for row in plays if row["day_of_week"] == 1]
    assert monday["label"] == "Mondays"
    assert monday["hour_of_day"] is None
    assert monday["n"] == monday["total_plays"] == len(mondays) == 156
    assert monday["days"] == 26
    assert monday["avg_valence"] == pytest.approx(np.mean([row["valence"] for row in mondays]))
    others = [row["valence"] for row in plays if row["day_of_week"] != 1]
    assert monday["difference"] == pytest.approx(monday["avg_valence"] - np.mean(others))
    assert monday["difference_high"] < 0
    assert monday["low_mood_count"] == sum(row["valence"] < 0.4 for row in mondays)
    assert monday["trigger_at"] == max(row["played_at"] for row in mondays).replace(tzinfo=None)
    assert monday["suggested_intervention"].startswith("On Mondays your music was more subdued than your usual (valence 0.3")
    assert (monday["intervention_needed"], monday["mood_support_playlist"]) == ("suggestion", "Mood Lift")


def test_chance_is_no_trigger_and_a_row_says_so(spark: SparkSession) -> None:
    plays = history(7 * 26, 6, any_mood)
    [none] = triggers(spark, plays)
    assert none["trigger_kind"] == "none"
    assert (none["n"], none["total_plays"], none["days"]) == (1092, 1092, 182)
    assert none["avg_valence"] == pytest.approx(np.mean([row["valence"] for row in plays]))
    assert none["trigger_at"] == plays[-1]["played_at"].replace(tzinfo=None)
    assert none["tests"] == 7 + 182
    assert none["p_corrected"] >= 0.05
    assert none["low_mood_count"] == sum(row["valence"] < 0.4 for row in plays)
    assert none["label"] == "nothing stands out"
    assert (none["intervention_needed"], none["mood_support_playlist"], none["difference"]) == ("none", None, None)


def one_low_session() -> list[dict[str, Any]]:
    rng = np.random.default_rng(5)
    rows = []
    for day in range(60):
        level = rng.uniform(0.5, 0.6) if day != 33 else 0.12
        rows += session(day, [float(np.clip(rng.normal(level, 0.08), 0, 1)) for _ in range(5 + day % 4)])
    return rows


def test_a_session_is_judged_by_what_sessions_vary_by(spark: SparkSession) -> None:
    plays = one_low_session()
    by_session: dict[str, list[float]] = {}
    for row in plays:
        by_session.setdefault(row["session_id"], []).append(row["valence"])
    n = np.array([len(v) for v in by_session.values()])
    mean = np.array([np.mean(v) for v in by_session.values()])
    usual = np.average(mean, weights=n)
    within = sum(np.var(v) * len(v) for v in by_session.values()) / np.sum(n - 1)
    among = np.sum(n * (mean - usual) ** 2) / (len(n) - 1)
    between = max(0.0, (among - within) / ((n.sum() - np.sum(n**2) / n.sum()) / (len(n) - 1)))
    z = (mean - usual) / np.sqrt(between + within / n)
    rows = {row["session_id"]: row for row in compared_sessions(frame(spark, PLAYS, plays)).collect()}
    assert [rows[name]["difference"] for name in by_session] == pytest.approx(list(mean - usual))
    p = [math.erfc(abs(value) / 2**0.5) for value in z]
    assert [rows[name]["p_value"] for name in by_session] == pytest.approx(p, rel=1e-5)
    [low] = [row for row in triggers(spark, plays) if row["trigger_kind"] == "session"]
    assert (low["session_id"], low["label"], low["n"], low["days"]) == ("s0033", "a session on 2023-02-04", 6, 1)
    assert (low["day_of_week"], low["hour_of_day"]) == (6, 8)


def test_too_little_to_tell(spark: SparkSession) -> None:
    [one] = triggers(spark, [play(1, "2024-01-01 10:00:00")])
    assert (one["trigger_kind"], one["n"], one["tests"], one["avg_valence"]) == ("none", 1, 0, 0.5)
    assert one["suggested_intervention"] == "Too little to compare yet (1 listen): nothing can be said."
    [unknown] = triggers(spark, [play(1, "2024-01-01 10:00:00", feature_source=None, valence=None, energy=None)])
    assert (unknown["n"], unknown["avg_valence"]) == (0, None)
    assert unknown["suggested_intervention"] == "None of your listens has a known mood: nothing can be said."
    [synthetic] = triggers(spark, [play(1, "2024-01-01 10:00:00", feature_source="synthetic", is_measured=False, valence=0.0)])
    assert synthetic["n"] == 0
    assert triggers(spark, []) == []


def test_listeners_apart_any_order_and_careful_words(spark: SparkSession) -> None:
    mine = history(7 * 26, 6, low_on_mondays)
    hers = [row | {"user_id": "ann", "play_id": "x" + row["play_id"]} for row in history(7 * 12, 3, any_mood)]
    together = [*mine, *hers]
    order = np.random.default_rng(1).permutation(len(together))
    found = triggers(spark, [together[i] for i in order])
    assert rounded([row for row in found if row["user_id"] == "me"]) == rounded(triggers(spark, mine))
    words = " ".join(row[name].lower() for row in found for name in ("label", "suggested_intervention"))
    assert not [word for word in MEDICAL if word in words.replace("still", "").replace("will", "")]


@pytest.mark.parametrize(("lacks", "label"), [(False, "08:00"), (True, "08:00 UTC")])
def test_an_hour_is_named_with_its_clock(spark: SparkSession, lacks: bool, label: str) -> None:
    rng = np.random.default_rng(5)
    at = [(day, hour) for day in range(1, 29) for hour in (8, 20)]
    plays = [
        play(n, f"2024-01-{day:02d} {hour:02d}:00:00", valence=rng.uniform(0.1, 0.3) + hour / 50, lacks_timezone=lacks)
        for n, (day, hour) in enumerate(at)
    ]
    [row] = [row for row in triggers(spark, plays) if row["trigger_kind"] == "hour_of_day"]
    assert row["label"] == label
    assert row["suggested_intervention"].startswith(f"At {label} your music was more subdued than your usual")
