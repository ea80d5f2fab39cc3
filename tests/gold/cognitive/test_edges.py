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
