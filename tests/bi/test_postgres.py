"""A real Postgres of its own: another port is taken by starting again."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from bi import secrets
from bi.settings import BISettings
from bi.stack import PostgresStep
from tests.bi.conftest import free_ports


@pytest.fixture
def folder() -> Iterator[Path]:
    """Short and open to Postgres' user, which pytest's own folders are not."""
    place = Path(tempfile.mkdtemp(prefix="pg"))
    place.chmod(0o755)
    yield place
    shutil.rmtree(place)


def test_another_port_starts_it_again(folder: Path) -> None:
    trino, superset, first, second = free_ports(4)

    def step(port: int) -> PostgresStep:
        return PostgresStep(BISettings(dir=folder / "bi", trino_port=trino, superset_port=superset, postgres_port=port))

    secrets.prepare(step(first).settings, folder)
    try:
        assert step(first).up() == "started"
        assert step(first).up() == "already running"
        assert step(second).up() == "restarted with its new configuration"
        assert step(second).status() == "up"
    finally:
        assert step(second).down()
