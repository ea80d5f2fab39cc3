"""A new source is one module: with nothing else edited its rows are read, compared by its facts, and accounted for."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from lakehouse.settings import PROJECT_ROOT
from tests.end_to_end.pipeline import Answer, Pipeline, export_row

MODULE = '''"""What a car radio played, as its log says."""

from __future__ import annotations

from collections.abc import Iterator
from typing import IO

import pyarrow as pa

from ingestion import history
from ingestion.csv_rows import header_of, read_csv
from ingestion.history_source import HistorySource, SourceKind
from lakehouse.declare import Sample

RADIO = SourceKind(
    name="radio",
    ts="end",
    rank=25,
    window_seconds=90,
    compared_with=("end",),
    repeat_seconds=0,
    sources_overlap=False,
)
NAMES = {"ts": "heard_until", "ms_played": "played_ms", "track_name": "title", "artist_name": "artist"}


class CarRadio:
    """One row per track; `heard_until` is the end of a play."""

    name = "car_radio"
    target = "listening_history"
    kinds = (RADIO,)
    rank_in_kind = 0
    has_scrobbler_ts = False

    def recognises(self, sample: Sample) -> bool:
        return set(NAMES.values()) <= set(header_of(sample))

    def read(self, stream: IO[bytes], listener: str) -> Iterator[pa.RecordBatch]:
        for rows in read_csv(stream, list(NAMES.values())):
            columns = dict(zip(NAMES, rows.columns, strict=True))
            yield history.from_columns(columns, {"source_kind": RADIO.name, "user_id": listener})


SOURCES: tuple[HistorySource, ...] = (CarRadio(),)
'''
LOG = """heard_until,played_ms,title,artist
2024-01-01T10:04:30Z,180000,TRACK 1,artist 1
2024-01-02T10:04:31Z,180000,Track 2,Artist 2
2024-01-04T10:03:00Z,180000,Track 4,Artist 1
2024-01-05T10:03:00Z,,Track 5,Artist 2
"""
SCROBBLE = "Artist 1,,Track 4,04 Jan 2024 10:00\n"
NOT_CODE = {"tests", "data", "docs", "bench"}


class Project:
    """A copy of the project's code with a module of its own, run over a landing folder."""

    def __init__(self, folder: Path) -> None:
        self.code, self.pipeline = folder / "project", Pipeline(folder)
        self.code.mkdir()
        for path in PROJECT_ROOT.iterdir():
            if path.is_dir() and path.name not in NOT_CODE and any(path.glob("*.py")):
                shutil.copytree(path, self.code / path.name, ignore=shutil.ignore_patterns("__pycache__"))
        shutil.copy(PROJECT_ROOT / "run_pipeline.py", self.code)
        self.write(MODULE)
        self.pipeline.write("export.json", [export_row(f"2024-01-0{day}T10:03:00Z", day) for day in (1, 2, 3)])
        self.pipeline.write("radio.csv", LOG)
        self.pipeline.write("scrobbles.csv", SCROBBLE)

    def write(self, module: str) -> None:
        (self.code / "ingestion" / "car_radio.py").write_text(module)

    def call(self, command: str, *options: str) -> Answer:
        """A command of the copy, in a process of its own."""
        arguments = [sys.executable, "run_pipeline.py", *self.pipeline.arguments(command, options)]
        environment = {k: v for k, v in os.environ.items() if not k.startswith("LAKEHOUSE_") and k != "PYTHONPATH"}
        done = subprocess.run(arguments, cwd=self.code, env=environment, capture_output=True, text=True, check=False, timeout=300)
        return Answer(done.returncode, done.stdout, done.stderr)

    def build(self) -> Answer:
        answer = self.call("run", "--json", "--only", "silver.plays", "--only", "ops.reconciliation")
        assert answer.code == 0, answer.text
        return answer


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    return Project(tmp_path_factory.mktemp("new_source"))


def dispositions(project: Project) -> dict[tuple[str, int], tuple[str, str | None]]:
    rows = project.pipeline.rows("silver.plays", "source", "row_number", "disposition", "reason")
    return {(row["source"], row["row_number"]): (row["disposition"], row["reason"]) for row in rows}


ELSEWHERE = ("duplicate", "same_play_in_richer_source")
KEPT = ("kept", None)
EXPECTED = {
    **{("spotify_extended", number): KEPT for number in (1, 2, 3)},
    # 90 s after the end in the export, and 91 s after it.
    ("car_radio", 1): ELSEWHERE,
    ("car_radio", 2): KEPT,
    ("car_radio", 3): KEPT,
    # A log that says when a track ended has to say how long it played.
    ("car_radio", 4): ("quarantined", "missing_ms_played"),
    # The radio ranks above scrobbles.
    ("lastfm_csv", 1): ELSEWHERE,
}


def test_its_rows_are_read_compared_and_accounted_for(project: Project) -> None:
    project.write(MODULE)
    reconciliation = project.build().document["reconciliation"]
    assert dispositions(project) == EXPECTED
    counts = ("rows_read", "bronze", "kept", "duplicate", "quarantined", "set_aside", "is_balanced")
    assert {file["source"]: tuple(file[name] for name in counts) for file in reconciliation} == {
        "spotify_extended": (3, 3, 3, 0, 0, 0, True),
        "car_radio": (4, 4, 2, 1, 1, 0, True),
        "lastfm_csv": (1, 1, 0, 1, 0, 0, True),
    }
    kinds = {tuple(row["sources"]) for row in project.pipeline.rows("silver.plays", "sources", disposition="kept")}
    assert kinds == {("export",), ("export", "radio"), ("radio",), ("radio", "scrobble")}


def test_a_changed_fact_is_applied_to_what_was_built_before(project: Project) -> None:
    project.write(MODULE)
    project.build()
    project.write(MODULE.replace("window_seconds=90", "window_seconds=91"))
    built = {outcome["table"] for outcome in project.build().document["outcomes"]}
    assert {"silver.typed_history", "silver.repeated_rows", "silver.repeated_plays"} <= built
    assert dispositions(project) == EXPECTED | {("car_radio", 2): ELSEWHERE}


@pytest.mark.parametrize("command", ["run", "status", "tables", "check"])
def test_a_fact_left_out_stops_every_command(project: Project, command: str) -> None:
    project.write(MODULE.replace("    window_seconds=90,\n", ""))
    answer = project.call(command)
    assert answer.code == 2
    assert answer.err.strip() == "error: source car_radio: kind radio: window_seconds is not stated"
