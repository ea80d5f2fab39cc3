"""Tests stand where the code stands: a folder of tests that bears a package's name has no rooms that the package lacks."""

from __future__ import annotations

from pathlib import Path

from lakehouse.settings import PROJECT_ROOT

TESTS = Path(__file__).parent
PACKAGES = (
    "bronze",
    "features",
    "gold",
    "ingestion",
    "lakehouse",
    "models",
    "music",
    "polling",
    "recommenders",
    "scheduling",
    "service",
    "silver",
    "streaming",
    "upkeep",
    "validators",
)


def rooms(folder: Path) -> set[str]:
    """The packages inside a package, at any depth, by dotted name."""
    return {".".join(file.parent.relative_to(folder).parts) for file in folder.rglob("__init__.py")} - {""}


def test_rooms_of_tests_are_rooms_of_the_code() -> None:
    there = [name for name in PACKAGES if (TESTS / name).is_dir()]
    assert {"lakehouse", "gold", "silver", "music"} <= set(there)
    strangers = {name: rooms(TESTS / name) - rooms(PROJECT_ROOT / name) for name in there}
    assert {name: left for name, left in strangers.items() if left} == {}
