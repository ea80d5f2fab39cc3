"""The folder of a lakehouse, and which version of the project wrote it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from lakehouse.storage.lakehouse import FORMAT, MARKER, Lakehouse, NewerLakehouseError
from tests.lakehouse.small_graph import Lake


def test_a_run_marks_the_folder_and_a_second_one_leaves_the_mark_alone(lake: Lake) -> None:
    lake.drop("first.txt", "ann,x,5")
    lake.run()
    marker = lake.root / MARKER
    assert json.loads(marker.read_text()) == {"format": FORMAT}
    written = marker.stat().st_mtime_ns
    lake.run()
    assert marker.stat().st_mtime_ns == written


def test_a_lakehouse_of_a_newer_version_is_left_as_it_is(lake: Lake) -> None:
    lake.drop("first.txt", "ann,x,5")
    lake.run()
    (lake.root / MARKER).write_text(json.dumps({"format": FORMAT + 1}))
    before = lake.versions()
    lake.drop("second.txt", "ann,x,6")
    with pytest.raises(NewerLakehouseError, match=f"newer version .*format {FORMAT + 1}"):
        lake.run()
    assert lake.versions() == before


@pytest.mark.parametrize("content", ["", "[]", '{"format": null}', "{}"])
def test_a_damaged_mark_is_no_reason_to_write(tmp_path: Path, content: str) -> None:
    (tmp_path / MARKER).write_text(content)
    with pytest.raises(NewerLakehouseError, match="cannot be read"):
        Lakehouse(tmp_path).check_format()


def test_a_folder_without_a_mark_may_be_a_lakehouse_of_an_older_version(tmp_path: Path) -> None:
    (tmp_path / "bronze").mkdir()
    assert not Lakehouse(tmp_path).exists()
    (tmp_path / "bronze" / "plays" / "_delta_log").mkdir(parents=True)
    assert Lakehouse(tmp_path).exists()
    Lakehouse(tmp_path).check_format()
