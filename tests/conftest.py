"""One embedded Spark session for the whole test run, and the folder of real files."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from pyspark.sql import SparkSession

# The same commit passes or fails on every machine. To look for more: pytest --hypothesis-profile=default.
settings.register_profile("repeatable", derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("repeatable")


def pytest_configure() -> None:
    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
        # A script's background job ignores Ctrl-C, and so would all that tests start to stop it by Ctrl-C.
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def spark() -> Iterator[SparkSession]:
    from lakehouse.engine.embedded import EmbeddedEngine

    engine = EmbeddedEngine()
    yield engine.session()
    engine.stop()


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real listening data that LISTENING_TEST_DATA names."""
    named = os.environ.get("LISTENING_TEST_DATA")
    if named and Path(named).is_dir():
        return Path(named)
    problem = f"LISTENING_TEST_DATA is {named!r}: it must name the folder with the real files (kaggle, spotify_history, ...)"
    if named or os.environ.get("CI", "").lower() == "true":
        pytest.fail(problem)
    pytest.skip(problem)
