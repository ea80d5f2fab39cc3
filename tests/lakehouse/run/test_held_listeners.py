"""One listener whose rows break a rule keeps the earlier ones; everybody else is published, and the next runs try again."""

from __future__ import annotations

import shutil

import pytest
from deltalake import DeltaTable
from pyspark.sql import DataFrame

from lakehouse.declare import REGISTRY, at_least, column, table
from lakehouse.declare.rules import Rule
from lakehouse.run.record import Recorder
from lakehouse.storage import delta
from lakehouse.storage.changes import Change, change_since
from lakehouse.storage.held import HeldKey
from lakehouse.storage.ledger import HELD_KEYS, Ledger
from tests.lakehouse import small_graph
from tests.lakehouse.small_graph import Lake, gold_table, keys_built, statuses

TOTAL, LINES = column("total", "bigint", "sum"), column("lines", "bigint", "number of lines")
RULE = "at_least(total,0)"


@pytest.fixture
def built(lake: Lake) -> Lake:
    """Ann, Bob and Cid, of whom nobody breaks a rule."""
    lake.drop("first.txt", "ann,x,5", "bob,y,1", "cid,z,8")
    assert lake.run().exit_code == 0
    return lake


def scope(lake: Lake, name: str) -> Change:
    """What the newest commit of a table says that it changed."""
    path = lake.path(name)
    newest = DeltaTable(path).version()
    return change_since(path, newest - 1, newest)


def declare_totals(*rules: Rule) -> None:
    """The totals of the small graph with other rules; their code stays the same."""
    schema = REGISTRY["gold.mini_totals"].columns
    table("gold.mini_totals", key=["user_id"], scope="user", schema=schema, rules=rules)(small_graph.mini_totals)


def test_the_listener_keeps_the_earlier_row_and_everybody_else_is_published(built: Lake) -> None:
    before = built.rows("gold.mini_totals", "user_id", "total", "_run_id")
    built.drop("second.txt", "ann,x,10", "bob,y,-4")
    report = built.run()
    assert (statuses(report)["gold.mini_totals"], statuses(report)["gold.mini_site"]) == ("built", "built")
    assert built.rows("gold.mini_totals", "user_id", "total") == [("ann", 15), ("bob", 1), ("cid", 8)]
    assert built.rows("gold.mini_totals", "user_id", "total", "_run_id")[1] == before[1]
    # What is built from it reads what is published.
    assert built.rows("gold.mini_site") == [("all", 24)]
    assert built.rows("gold.mini_counts") == [("ann", 2), ("bob", 2), ("cid", 1)]
    assert scope(built, "gold.mini_totals") == Change(frozenset({"ann"}))
    assert report.exit_code == 1
    expected = HeldKey("gold.mini_totals", "bob", RULE, 1, report.started_at, report.run_id)
    assert list(report.held) == Ledger(built.root).held() == [expected]
    assert built.builds(report)["gold.mini_totals"]["pending"] == '["bob"]'
    assert built.checks(report, "gold.mini_totals")[RULE] == "FAIL"


def test_a_listener_without_earlier_rows_is_absent(lake: Lake) -> None:
    lake.drop("first.txt", "ann,x,5", "bob,y,-4")
    report = lake.run()
    assert (statuses(report)["gold.mini_totals"], report.exit_code) == ("built", 1)
    assert lake.rows("gold.mini_totals", "user_id", "total") == [("ann", 5)]
    assert lake.rows("gold.mini_site") == [("all", 5)]
    assert lake.held() == [("gold.mini_totals", "bob", RULE, 1)]


def test_every_later_run_tries_again_and_remembers_the_first(built: Lake) -> None:
    built.drop("second.txt", "bob,y,-4")
    first = built.run()
    versions, ledger = built.versions(), DeltaTable(built.path(HELD_KEYS.name)).version()
    report = built.run()
    assert (statuses(report), keys_built(report)) == (
        {"gold.mini_totals": "unchanged", "gold.mini_site": "up to date"},
        {"gold.mini_totals": 1, "gold.mini_site": 0},
    )
    assert report.planned[0].why == "1 listener held back before"
    assert (report.exit_code, report.held) == (1, first.held)
    assert built.versions() == versions
    assert DeltaTable(built.path(HELD_KEYS.name)).version() == ledger


def test_a_listener_who_passes_is_brought_up_to_date_and_forgotten(built: Lake) -> None:
    built.drop("second.txt", "ann,x,10", "bob,y,-4")
    built.run()
    built.drop("third.txt", "bob,y,9")
    report = built.run()
    assert (report.exit_code, list(report.held), built.held()) == (0, [], [])
    assert built.rows("gold.mini_totals", "user_id", "total") == [("ann", 15), ("bob", 6), ("cid", 8)]
    assert scope(built, "gold.mini_totals") == Change(frozenset({"bob"}))
    again = built.run()
    assert (statuses(again), again.engine_started, again.exit_code) == ({}, False, 0)
    incremental = built.content()
    shutil.rmtree(built.root)
    assert built.run().exit_code == 0
    assert built.content() == incremental


def test_a_rebuild_of_everything_leaves_the_listener_as_before_too(built: Lake) -> None:
    built.drop("second.txt", "ann,x,10", "bob,y,-4")
    built.run()
    content = built.content()
    report = built.run(full=True)
    assert (report.exit_code, built.content()) == (1, content)
    assert built.held() == [("gold.mini_totals", "bob", RULE, 1)]
    built.drop("third.txt", "bob,y,9")
    assert built.run(full=True).exit_code == 0
    assert built.rows("gold.mini_totals", "user_id", "total") == [("ann", 15), ("bob", 6), ("cid", 8)]


def test_a_listener_passes_although_nothing_but_the_rule_is_new(built: Lake) -> None:
    built.drop("second.txt", "bob,y,-4")
    built.run()
    declare_totals(at_least("total", -10))
    report = built.run()
    assert (report.exit_code, built.held()) == (0, [])
    assert built.rows("gold.mini_totals", "user_id", "total") == [("ann", 5), ("bob", -3), ("cid", 8)]
    assert built.rows("gold.mini_site") == [("all", 10)]


def test_what_reads_the_table_leaves_the_listener_at_the_same_time(built: Lake) -> None:
    def mini_after(mini_totals: DataFrame, mini_counts: DataFrame) -> DataFrame:
        """One row per user, of two tables that have to agree."""
        return mini_totals.select("user_id", "total").join(mini_counts, on="user_id", how="left")

    gold_table("mini_after", mini_after, TOTAL, LINES)
    built.run()
    built.drop("second.txt", "ann,x,10", "bob,y,-4")
    report = built.run()
    # Of Bob, the counts are new and the totals are not.
    assert built.rows("gold.mini_counts") == [("ann", 2), ("bob", 2), ("cid", 1)]
    assert built.rows("gold.mini_after") == [("ann", 15, 2), ("bob", 1, 1), ("cid", 8, 1)]
    assert [key.table_name for key in report.held] == ["gold.mini_totals"]
    assert built.run(full=True).exit_code == 1
    assert built.rows("gold.mini_after") == [("ann", 15, 2), ("bob", 1, 1), ("cid", 8, 1)]
    # With 4 more Bob's total is what it was: his totals do not change, and still the counts are to be read.
    built.drop("third.txt", "bob,y,4")
    assert (built.run().exit_code, statuses(built.run())) == (0, {})
    assert built.rows("gold.mini_totals", "user_id", "total") == [("ann", 15), ("bob", 1), ("cid", 8)]
    assert built.rows("gold.mini_after") == [("ann", 15, 2), ("bob", 1, 3), ("cid", 8, 1)]


def test_a_run_that_dies_before_it_records_anything_is_made_up_for(built: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    def die(*_: object) -> None:
        raise KeyboardInterrupt

    built.drop("second.txt", "ann,x,10", "bob,y,-4")
    with monkeypatch.context() as patched:
        patched.setattr(Recorder, "_note_held", die)
        with pytest.raises(KeyboardInterrupt):
            built.run()
    assert built.held() == []
    assert built.run().exit_code == 1
    assert built.held() == [("gold.mini_totals", "bob", RULE, 1)]
    built.drop("third.txt", "bob,y,9")
    with monkeypatch.context() as patched:
        patched.setattr(Recorder, "flush", die)
        with pytest.raises(KeyboardInterrupt):
            built.run()
    assert (built.run().exit_code, built.held()) == (0, [])
    assert built.rows("gold.mini_totals", "user_id", "total") == [("ann", 15), ("bob", 6), ("cid", 8)]
    assert built.rows("gold.mini_site") == [("all", 29)]


def test_what_is_held_back_of_a_table_that_is_gone_is_forgotten(built: Lake) -> None:
    built.drop("second.txt", "bob,y,-4")
    built.run()
    del REGISTRY["gold.mini_site"], REGISTRY["gold.mini_totals"]
    assert (built.run().exit_code, built.held()) == (0, [])


def test_the_ledger_says_of_which_table_it_changed(built: Lake) -> None:
    built.drop("second.txt", "bob,y,-4")
    built.run()
    assert scope(built, HELD_KEYS.name) == Change(frozenset({"gold.mini_totals"}))
    assert delta.row_total(built.path(HELD_KEYS.name)) == 1
