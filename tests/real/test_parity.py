"""Both engines give the same rows for every table: doubles to 1e-9 relative, all else exactly."""

from __future__ import annotations

from pathlib import Path

import pytest

from lakehouse.declare import REGISTRY
from lakehouse.plan import graph
from tests.equality import differences

pytestmark = pytest.mark.spark
graph.load()
COMPARED = sorted(
    name for name, declared in REGISTRY.items() if declared.module.split(".")[0] in ("bronze", "silver", "gold", "validators")
)


@pytest.mark.parametrize("name", COMPARED)
def test_a_table_is_equal_on_embedded_and_spark(name: str, embedded_lakehouse: Path, spark_lakehouse: Path) -> None:
    assert differences(REGISTRY[name], embedded_lakehouse, spark_lakehouse) == {}
