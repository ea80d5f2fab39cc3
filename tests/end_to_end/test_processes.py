"""The programs beside run_pipeline.py: the scheduler and the stage scripts, as processes."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from deltalake import DeltaTable

from lakehouse.settings import PROJECT_ROOT

PLAY = {
    "ts": "2024-03-01T10:00:00Z",
    "ms_played": 200_000,
    "master_metadata_track_name": "Song",
    "master_metadata_album_artist_name": "Band",
    "spotify_track_uri": "spotify:track:" + "0" * 22,
}


@pytest.fixture(autouse=True)
def state_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAKEHOUSE_STATE_DIR", str(tmp_path / "state"))


@pytest.fixture
def folders(tmp_path: Path) -> list[str]:
    landing = tmp_path / "landing"
    landing.mkdir()
    (landing / "history.json").write_text(json.dumps([PLAY]), encoding="utf-8")
    return ["--landing", str(landing), "--lakehouse", str(tmp_path / "lakehouse")]


def test_the_scheduler_builds_at_once_and_stops_cleanly_when_told(folders: list[str], tmp_path: Path) -> None:
    heartbeat = tmp_path / "heartbeat"
    command = [sys.executable, str(PROJECT_ROOT / "scheduler.py"), "--every", "1", "--heartbeat", str(heartbeat), *folders]
    command += ["--only", "bronze.listening_history"]
    with (tmp_path / "log").open("w+") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, cwd=tmp_path)
        try:
            for _ in range(300):
                if '"status": "ended"' in (tmp_path / "log").read_text():
                    break
                time.sleep(0.2)
            assert time.time() - heartbeat.stat().st_mtime < 30
            process.send_signal(signal.SIGTERM)
            assert process.wait(timeout=20) == 0
        finally:
            process.kill()
    lines = [json.loads(line) for line in (tmp_path / "log").read_text().splitlines()]
    [ended] = [line for line in lines if line.get("status") == "ended"]
    assert (ended["event"], ended["exit_code"], ended["new_files"]) == ("build", 0, 1)
    assert lines[-1]["event"] == "stopped"
    runs = DeltaTable(tmp_path / "lakehouse" / "ops" / "pipeline_runs").to_pyarrow_table().to_pylist()
    assert [run["status"] for run in runs] == ["succeeded"]


def test_the_scheduler_refuses_a_setting_that_makes_no_sense() -> None:
    command = [sys.executable, str(PROJECT_ROOT / "scheduler.py"), "--every", "0"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)
    assert done.returncode == 2
    assert "interval_hours" in done.stderr


def test_the_scheduler_refuses_a_heartbeat_in_no_folder(tmp_path: Path) -> None:
    command = [sys.executable, str(PROJECT_ROOT / "scheduler.py"), "--heartbeat", str(tmp_path / "nowhere" / "file")]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)
    assert done.returncode == 2
    assert "is not a folder" in done.stderr


@pytest.mark.parametrize(
    ("script", "wanted", "not_wanted"),
    [
        ("ingest", "bronze.listening_history", "silver.plays"),
        ("build_silver", "silver.sessions", "gold.top_artists"),
        ("build_descriptive", "gold.top_artists", "gold.weekend_effects"),
        ("build_diagnostic", "gold.weekend_effects", "gold.top_artists"),
        ("build_prescriptive", "gold.optimal_listening_times", "gold.top_artists"),
    ],
)
def test_a_stage_script_builds_its_stage_and_what_it_needs(script: str, wanted: str, not_wanted: str, folders: list[str]) -> None:
    command = [sys.executable, str(PROJECT_ROOT / "scripts" / f"{script}.py"), *folders, "--dry-run", "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    planned = {stale["table"] for stale in json.loads(done.stdout)["planned"]}
    assert wanted in planned
    assert "bronze.listening_history" in planned
    assert not_wanted not in planned
