"""Lakehouses built from the real files through the command line, once a test run, one per engine."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from lakehouse.engine.java import java_problem
from lakehouse.settings import PROJECT_ROOT

# The oracle computes in UTC and names the parts of the day: that zone has to be known.
ZONE = ("--timezone", "UTC")


@pytest.fixture(scope="session")
def real_landing(real_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A landing folder with the catalogue and the zipped export."""
    landing = tmp_path_factory.mktemp("landing")
    for file in ("kaggle/dataset.csv", "spotify_history/my_spotify_data.zip"):
        (landing / Path(file).name).symlink_to(real_data / file)
    return landing


def run_pipeline(landing: Path, lakehouse: Path, *options: str) -> dict[str, Any]:
    """Run the pipeline in a process of its own; returns its --json report. Fails the test when a table was not built."""
    command = [sys.executable, str(PROJECT_ROOT / "run_pipeline.py"), "run", "--json", "--landing", str(landing)]
    command += ["--lakehouse", str(lakehouse), *options]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=dict(os.environ), cwd=landing.parent)
    assert done.returncode == 0, f"{done.stdout[-2000:]}\n{done.stderr[-2000:]}"
    report: dict[str, Any] = json.loads(done.stdout)
    return report


@pytest.fixture(scope="session")
def embedded_lakehouse(real_landing: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Every table, built by the embedded engine; where there is Java, with the models that need it."""
    lakehouse = tmp_path_factory.mktemp("lakehouse") / "embedded"
    run_pipeline(real_landing, lakehouse, "--engine", "auto", *ZONE)
    return lakehouse


@pytest.fixture(scope="session")
def spark_lakehouse(real_landing: Path, embedded_lakehouse: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Every table, built by local Spark, from the models that the other lakehouse has."""
    if problem := java_problem():
        if os.environ.get("CI", "").lower() == "true":
            pytest.fail(problem)
        pytest.skip(problem)
    lakehouse = tmp_path_factory.mktemp("lakehouse") / "spark"
    for kept in ("models", "ops/models", "ops/table_builds"):
        shutil.copytree(embedded_lakehouse / kept, lakehouse / kept)
    run_pipeline(real_landing, lakehouse, "--engine", "spark", *ZONE)
    return lakehouse
