"""Of the kernel, only its declared version is part of a fingerprint: so content must not change under the same version."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from lakehouse.plan.fingerprint import KERNEL_VERSION
from tests.end_to_end.kernel_digests import RECORD, Made, make

# So many tables must be comparable, or the record says nothing: it is then to be made anew.
LEAST = 20


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Made]:
    return make(tmp_path_factory.mktemp("kernel") / "made")


def test_the_kernel_changes_no_content_under_the_same_version(made: dict[str, Made]) -> None:
    recorded = json.loads(RECORD.read_text())
    assert recorded["kernel_version"] == KERNEL_VERSION, "the record is of another kernel version: run `make digests`"
    tables = {name: Made(**one) for name, one in recorded["tables"].items()}
    comparable = [name for name in tables if name in made and tables[name].code == made[name].code]
    assert len(comparable) >= LEAST, "too many tables have other code than recorded: run `make digests`"
    changed = [name for name in comparable if tables[name].digest != made[name].digest]
    assert changed == [], (
        "these tables hold something else although their code is the same: raise KERNEL_VERSION, so that every lakehouse is"
        " rebuilt, then run `make digests`"
    )


def test_a_digest_sees_what_changes_and_nothing_else(made: dict[str, Made]) -> None:
    assert len({one.digest for one in made.values()}) > len(made) - 3
    assert len(made) >= 2 * LEAST


def test_the_same_landing_folder_has_the_same_digests(made: dict[str, Made], tmp_path: Path) -> None:
    assert make(tmp_path / "again") == made
