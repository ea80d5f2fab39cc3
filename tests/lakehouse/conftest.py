"""A lakehouse of test-only tables."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lakehouse.small_graph import Lake, declared


@pytest.fixture
def lake(tmp_path: Path) -> Iterator[Lake]:
    with declared():
        yield Lake(tmp_path)
