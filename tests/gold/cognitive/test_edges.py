"""The tables that need a model: from nothing, from one play, and with listeners of a population that no model knows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession

import silver.listening_with_features  # noqa: F401
from gold.cognitive.behavioral_segments import behavioral_segments
from gold.cognitive.mood_state_clusters import mood_state_clusters
from gold.cognitive.session_personas import session_personas
from lakehouse.declare import Fitted, Model
from lakehouse.storage.artifacts import store
from models.clusters.mood_state import mood_state
from models.clusters.segment_cut_points import segment_cut_points
from models.clusters.session_persona import session_persona
from silver.sessions import sessions
from tests.frames import collect, frame, play

ONE = [play(1, "2024-01-01 10:00:00", valence=0.7, energy=0.8)]
SYNTHETIC = [play(2, "2024-01-01 10:00:00", user_id="synthetic:000001")]


def results(spark: SparkSession, folder: Path, trained_on: list[dict[str, Any]], plays: list[dict[str, Any]]) -> list[Any]:
    """The rows of the three tables over `plays`, by models trained on `trained_on`."""
    training, heard = (frame(spark, "silver.listening_with_features", rows) for rows in (trained_on, plays))

    folder.mkdir(exist_ok=True)

    def stored(fitted: Fitted, name: str) -> Model:
        store(fitted, folder / name)
        return Model(name, name, folder / name, spark)

    persona = stored(session_persona(sessions(training)), "session_persona")
    state = stored(mood_state(training), "mood_state")
    cuts = stored(segment_cut_points(training), "segment_cut_points")
    return [
        collect("gold.session_personas", session_personas(sessions(heard), persona)),
        collect("gold.mood_state_clusters", mood_state_clusters(heard, state)),
        collect("gold.behavioral_segments", behavioral_segments(heard, cuts)),
    ]


@pytest.mark.parametrize("trained_on", [[], ONE])
def test_nothing(spark: SparkSession, tmp_path: Path, trained_on: list[dict[str, Any]]) -> None:
    assert results(spark, tmp_path, trained_on, []) == [[], [], []]


def test_one_play(spark: SparkSession, tmp_path: Path) -> None:
    [persona], [state], _ = results(spark, tmp_path / "beside", ONE, [*ONE, *SYNTHETIC])
    _, _, [segment] = results(spark, tmp_path / "alone", ONE, ONE)
    assert (persona["user_id"], persona["persona"], persona["clarity"]) == ("me", "Everyday", None)
    assert (state["label"], state["share"], state["peak_hour"], state["peak_day_p_corrected"]) == ("Balanced", 1.0, 10, None)
    assert (segment["variety"], segment["variety_percentile"], segment["discovery_share"]) == (0.0, None, 1.0)
    assert "too few listeners" in segment["archetype_description"]


def test_synthetic_listeners_change_nothing_for_a_real_one(spark: SparkSession, tmp_path: Path) -> None:
    alone = results(spark, tmp_path / "alone", ONE, ONE)
    beside = results(spark, tmp_path / "beside", [*ONE, *SYNTHETIC], [*ONE, *SYNTHETIC])
    assert [[row for row in rows if row["user_id"] == "me"] for rows in beside] == alone


def test_an_unknown_time_zone_has_no_time_of_day(spark: SparkSession, tmp_path: Path) -> None:
    [persona], [state], [segment] = results(spark, tmp_path, ONE, [ONE[0] | {"lacks_timezone": True}])
    assert persona["persona_description"].endswith("energy 80%, from 10 h UTC.")
    assert persona["known_features"] == 5
    assert (state["typical_hours"], state["peak_hour"]) == ("5-10 UTC", 10)
    assert "most between 5 and 10 h UTC" in state["description"]
    figures = ("night_share", "night_share_percentile", "night_share_segment")
    assert [segment[name] for name in figures] == [None, None, "not comparable"]
    assert "23 and 6 h" not in segment["archetype_description"]


def test_personas_of_known_clocks_name_the_time_of_day_only_for_them(spark: SparkSession, tmp_path: Path) -> None:
    """120 sessions, by turns at 2 h and at 14 h: personas are told apart by their hours."""
    at = [(day, hour) for day in range(1, 31) for month in (1, 2) for hour in (2, 14) if (month, day) not in ((2, 30),)]
    plays = [
        play(
            n, f"2024-{1 + n % 2:02d}-{min(day, 29):02d} {hour:02d}:{n % 50:02d}:00", session_id=f"s{n}", valence=0.3 + n % 7 / 20
        )
        for n, (day, hour) in enumerate(at)
    ]
    unknown = [row | {"user_id": "nobody", "lacks_timezone": True} for row in plays]
    personas, _, _ = results(spark, tmp_path, plays, [*plays, *unknown])
    labels = {user: {row["persona"].lower() for row in personas if row["user_id"] == user} for user in ("me", "nobody")}
    clock = ("night", "morning", "afternoon", "evening")
    assert any(word in label for label in labels["me"] for word in clock)
    assert not any(word in label for label in labels["nobody"] for word in clock)
    assert all(labels["nobody"])
