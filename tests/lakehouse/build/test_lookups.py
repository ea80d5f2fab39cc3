"""A table that is only read by key makes nothing stale when keys come, and its readers stale when a key changes."""

from __future__ import annotations

import dataclasses

import pytest
from pyspark.sql import DataFrame

from lakehouse.build import diff
from lakehouse.declare import REGISTRY
from tests.lakehouse.small_graph import Lake, keys_built, statuses

LOOKUP, READER = "silver.mini_items", "silver.mini_marked"


def items_of(changed: DataFrame, events: DataFrame) -> DataFrame:
    """The items of the changed users."""
    return events.join(changed, on="user_id", how="left_semi").select("item_id").distinct()


@pytest.fixture(params=["whole", "by key"])
def looked_up(lake: Lake, request: pytest.FixtureRequest) -> Lake:
    """The items are a lookup, rebuilt whole or by key, and nothing says whose rows read an item."""
    touches = {"mini_events": ((items_of, "mini_events"),)} if request.param == "by key" else {}
    REGISTRY[LOOKUP] = dataclasses.replace(REGISTRY[LOOKUP], is_lookup=True, touches=touches)
    REGISTRY[READER] = dataclasses.replace(REGISTRY[READER], touches={})
    lake.drop("first.txt", "ann,x,5", "bob,x,1")
    assert lake.run().exit_code == 0
    return lake


def test_new_keys_rebuild_the_rows_that_came_with_them_alone(looked_up: Lake) -> None:
    looked_up.drop("second.txt", "ann,new,7")
    report = looked_up.run()
    assert statuses(report)[LOOKUP] == "built"
    assert keys_built(report)[READER] == 1
    assert ("ann", "new", 7, 7) in looked_up.rows(READER)


def test_more_new_keys_than_a_commit_lists_are_no_reason_either(looked_up: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(diff, "MAX_KEYS", 3)
    looked_up.drop("second.txt", *[f"ann,new {n},7" for n in range(5)])
    assert keys_built(looked_up.run())[READER] == 1


def test_a_changed_key_rebuilds_all_that_may_read_it(looked_up: Lake) -> None:
    looked_up.drop("second.txt", "ann,x,7")
    assert keys_built(looked_up.run())[READER] is None
    assert ("bob", "x", 1, 13) in looked_up.rows(READER)
