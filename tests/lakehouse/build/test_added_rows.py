"""A large table that keeps all it had gets the new rows alone; anything else replaces the keys' rows."""

from __future__ import annotations

import json
import shutil

import pytest

from lakehouse.build import builder as build
from tests.lakehouse.small_graph import Lake

MARKED = "silver.mini_marked"


@pytest.fixture
def built(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> Lake:
    """Every table counts as large. Ann and Bob share item x."""
    monkeypatch.setattr(build, "LARGE_REST", 0)
    lake.drop("first.txt", "ann,x,5", "ann,y,2", "bob,x,1", "bob,z,4")
    assert lake.run().exit_code == 0
    return lake


def files(lake: Lake, table: str) -> tuple[int, int]:
    """Files that the table's last commit added and removed."""
    log = max((lake.path(table) / "_delta_log").glob("*.json"))
    actions = [json.loads(line) for line in log.read_text().splitlines()]
    return sum("add" in action for action in actions), sum("remove" in action for action in actions)


def from_scratch(lake: Lake) -> dict[str, list[tuple[object, ...]]]:
    shutil.rmtree(lake.root)
    assert lake.run().exit_code == 0
    return lake.content()


def test_rows_that_stay_are_not_written_again(built: Lake) -> None:
    first = {row[0] for row in built.rows(MARKED, "_run_id")}
    built.drop("second.txt", "ann,new,7")
    report = built.run()
    added, removed = files(built, MARKED)
    assert added > 0
    assert removed == 0
    runs = {row[1:]: row[0] for row in built.rows(MARKED, "_run_id", "user_id", "item_id")}
    assert runs.pop(("ann", "new")) == report.run_id
    assert set(runs.values()) == first
    # A total is another row than before.
    assert files(built, "gold.mini_totals")[1] > 0
    assert built.content() == from_scratch(built)


@pytest.mark.parametrize("lines", [["ann,y,1", "ann,new,7"], ["bob,x,1", "bob,new,1", "ann,new,1"]])
def test_a_row_that_changed_is_replaced(built: Lake, lines: list[str]) -> None:
    built.drop("second.txt", *lines)
    assert built.run().exit_code == 0
    assert files(built, MARKED)[1] > 0
    assert built.content() == from_scratch(built)
