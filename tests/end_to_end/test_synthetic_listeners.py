"""Synthetic listeners through the real entry point: every row is a kept play, in each listener's own time zone."""

from __future__ import annotations

import csv
import datetime as dt
import json
from collections import Counter
from pathlib import Path

import pytest

from synthetic.generate import generate
from tests.end_to_end.pipeline import Pipeline, days
from tests.synthetic.conftest import write_catalogue

ONLY = tuple(
    option
    for name in ("silver.listening_with_features", "silver.users", "silver.sessions", "silver.quarantine", "ops.reconciliation")
    for option in ("--only", name)
)
PERIOD = {"start": dt.date(2023, 1, 1), "end": dt.date(2024, 1, 1)}


def land(pipeline: Pipeline, folder: str = "synthetic", seed: int = 4) -> dict[str, dict[str, str]]:
    """A catalogue and 30 listeners in landing; returns their notes."""
    catalogue = write_catalogue(pipeline.landing / "dataset.csv", tracks=1_000, artists=300)
    out = pipeline.landing / folder
    generate(catalogue, out, listeners=30, plays=100, seed=seed, plant=3, **PERIOD)
    with (out / "_listeners.csv").open(encoding="utf-8", newline="") as stream:
        return {row["user_id"]: row for row in csv.DictReader(stream)}


def plays_in(folder: Path) -> int:
    plays: int = json.loads((folder / "_manifest.json").read_text())["plays"]
    return plays


def test_every_row_is_kept_and_told_in_the_listener_s_time_zone(pipeline: Pipeline) -> None:
    notes = land(pipeline)
    pipeline.write("history.json", days(3))
    pipeline.build(*ONLY)
    rows = plays_in(pipeline.landing / "synthetic")
    [told] = [row for row in pipeline.rows("ops.reconciliation") if row["source"] == "synthetic"]
    assert told["rows_read"] == told["bronze"] == told["kept"] == rows
    assert (told["duplicate"], told["quarantined"], told["set_aside"]) == (0, 0, 0)
    assert pipeline.rows("silver.quarantine") == []
    assert {row["source"] for row in pipeline.rows("ops.reconciliation")} == {"synthetic", "spotify_extended"}

    users = {row["user_id"]: row for row in pipeline.rows("silver.users")}
    assert users.pop("me")["timezone"] == "UTC"
    assert {user: row["timezone"] for user, row in users.items()} == {u: note["timezone"] for u, note in notes.items()}
    assert {user: row["kept"] for user, row in users.items()} == {u: int(note["plays"]) for u, note in notes.items()}

    plays = [row for row in pipeline.rows("silver.listening_with_features") if row["user_id"] != "me"]
    assert {row["feature_source"] for row in plays} == {"kaggle_id"}
    assert all(row["ms_played"] <= row["duration_ms"] for row in plays)
    assert all(row["played_at"] + dt.timedelta(milliseconds=row["ms_played"]) == row["ended_at"] for row in plays)
    by_session = Counter(row["session_id"] for row in plays)
    assert {row["session_id"]: row["plays"] for row in pipeline.rows("silver.sessions") if row["user_id"] != "me"} == by_session
    # People sleep by their own clock: by UTC the hours of listeners around the world would fill the night.
    hours = Counter(row["hour_of_day"] for row in plays)
    utc = Counter(row["played_at"].hour for row in plays)
    assert sum(hours[hour] for hour in (4, 5)) < 0.6 * sum(utc[hour] for hour in (4, 5))


def test_a_zone_that_is_set_wins_and_replaced_files_are_read_anew(pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    land(pipeline)
    monkeypatch.setenv("LAKEHOUSE_TIMEZONES", '{"synthetic:000002": "Asia/Kathmandu"}')
    only = ("--only", "silver.users", "--only", "ops.reconciliation")
    pipeline.build(*only)
    [user] = pipeline.rows("silver.users", user_id="synthetic:000002")
    assert user["timezone"] == "Asia/Kathmandu"
    assert pipeline.build(*only).document["outcomes"] == []
    land(pipeline, folder="more", seed=5)
    pipeline.build(*only)
    rows = plays_in(pipeline.landing / "synthetic") + plays_in(pipeline.landing / "more")
    assert sum(row["kept"] for row in pipeline.rows("silver.users")) == rows


def test_a_file_that_is_cut_off_is_refused_whole(pipeline: Pipeline) -> None:
    land(pipeline)
    [file] = (pipeline.landing / "synthetic").glob("*.arrows")
    file.write_bytes(file.read_bytes()[:-5_000])
    answer = pipeline.run("--only", "bronze.listening_history")
    assert answer.code == 1
    assert "not a readable Arrow stream" in json.dumps(answer.document)
    assert [row["status"] for row in pipeline.rows("ops.ingestion_state") if row["source"] == "synthetic"] == ["broken"]
