"""One listener whose rows break a rule keeps the earlier ones; everybody else is published, and the next runs try again."""

from __future__ import annotations

import shutil
from typing import Any

import pytest
from deltalake import DeltaTable
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from lakehouse.declare import REGISTRY, at_least, column, foreign_key, row_count, table
from lakehouse.declare.rules import Rule
from lakehouse.run.record import Recorder
from lakehouse.run.report import Report
from lakehouse.storage import delta
from lakehouse.storage.changes import Change, change_since
from lakehouse.storage.held import HeldKey
from lakehouse.storage.ledger import HELD_KEYS, Ledger
from tests.lakehouse import small_graph
from tests.lakehouse.small_graph import AMOUNT, ITEM, USER, Lake, keys_built, statuses

TOTAL, LINES = column("total", "bigint", "sum"), column("lines", "bigint", "number of lines")
RULE = "at_least(total,0)"


@pytest.fixture
def built(lake: Lake) -> Lake:
    """Ann, Bob and Cid, of whom nobody breaks a rule."""
    lake.drop("first.txt", "ann,x,5", "bob,y,1", "cid,z,8")
    assert lake.run().exit_code == 0
    return lake


def held(lake: Lake) -> list[tuple[str, str, str, int]]:
    return [(key.table_name, key.user_id, key.rule, key.violations) for key in Ledger(lake.root).held()]


def error(report: Report, name: str) -> str | None:
    return next(outcome.error for outcome in report.outcomes if outcome.table == name)


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
    assert held(lake) == [("gold.mini_totals", "bob", RULE, 1)]


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
    assert (report.exit_code, list(report.held), held(built)) == (0, [], [])
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
    assert held(built) == [("gold.mini_totals", "bob", RULE, 1)]
    built.drop("third.txt", "bob,y,9")
    assert built.run(full=True).exit_code == 0
    assert built.rows("gold.mini_totals", "user_id", "total") == [("ann", 15), ("bob", 6), ("cid", 8)]


def test_a_listener_passes_although_nothing_but_the_rule_is_new(built: Lake) -> None:
    built.drop("second.txt", "bob,y,-4")
    built.run()
    declare_totals(at_least("total", -10))
    report = built.run()
    assert (report.exit_code, held(built)) == (0, [])
    assert built.rows("gold.mini_totals", "user_id", "total") == [("ann", 5), ("bob", -3), ("cid", 8)]
    assert built.rows("gold.mini_site") == [("all", 10)]


def test_more_than_half_of_the_listeners_refuse_the_table(built: Lake) -> None:
    built.drop("second.txt", "ann,x,-9", "bob,y,-4", "cid,z,1")
    report = built.run()
    assert (statuses(report)["gold.mini_totals"], statuses(report)["gold.mini_site"]) == ("refused", "blocked")
    assert str(error(report, "gold.mini_totals")).endswith("; 2 of 3 listeners break a rule, too many to hold back")
    assert held(built) == []
    assert built.rows("gold.mini_totals", "user_id", "total") == [("ann", 5), ("bob", 1), ("cid", 8)]


def test_the_share_counts_all_listeners_and_not_the_recomputed_ones(built: Lake) -> None:
    built.drop("second.txt", "bob,y,-4")
    assert keys_built(built.run())["gold.mini_totals"] == 1
    assert held(built) == [("gold.mini_totals", "bob", RULE, 1)]


def gold(name: str, function: Any, *more: Any, scope: Any = "user", key: Any = ("user_id",), rules: Any = ()) -> None:
    table(f"gold.{name}", key=list(key), scope=scope, schema=[USER, *more], rules=list(rules))(function)


def test_the_share_counts_the_listeners_of_the_landing_folder_too(lake: Lake) -> None:
    def mini_few(mini_events: DataFrame) -> DataFrame:
        """One row per line of item x."""
        return mini_events.where("item_id = 'x'").select("user_id", "item_id", "amount")

    gold("mini_few", mini_few, ITEM, AMOUNT, key=["user_id", "item_id"], rules=[at_least("amount", 0)])
    lake.drop("listeners/ann/a.txt", ",x,-1")
    lake.drop("listeners/bob/b.txt", ",y,1")
    assert statuses(lake.run("gold.mini_few"))["gold.mini_few"] == "built"
    assert (lake.rows("gold.mini_few"), held(lake)) == ([], [("gold.mini_few", "ann", "at_least(amount,0)", 1)])


def test_a_rule_over_the_whole_refuses_the_table(built: Lake) -> None:
    def mini_poor(mini_events: DataFrame) -> DataFrame:
        """One row per user with less than 6."""
        return mini_events.groupBy("user_id").agg(F.sum("amount").alias("total")).where("total < 6")

    gold("mini_poor", mini_poor, TOTAL, scope="whole", rules=[at_least("total", 0), row_count(0, "FAIL")])
    built.run()
    built.drop("second.txt", "ann,x,10", "bob,y,-4")
    report = built.run()
    assert statuses(report)["gold.mini_poor"] == "refused"
    assert str(error(report, "gold.mini_poor")).endswith("; row_count(-0%) is about the whole table")
    assert built.rows("gold.mini_poor") == [("ann", 5), ("bob", 1)]


def test_what_reads_the_table_leaves_the_listener_at_the_same_time(built: Lake) -> None:
    def mini_after(mini_totals: DataFrame, mini_counts: DataFrame) -> DataFrame:
        """One row per user, of two tables that have to agree."""
        return mini_totals.select("user_id", "total").join(mini_counts, on="user_id", how="left")

    gold("mini_after", mini_after, TOTAL, LINES)
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


def test_all_listeners_who_share_a_key_are_held_back(built: Lake) -> None:
    def mini_owners(mini_events: DataFrame) -> DataFrame:
        """One row per item, as long as nobody shares one."""
        return mini_events.select("user_id", "item_id").distinct()

    gold("mini_owners", mini_owners, ITEM, key=["item_id"])
    built.drop("dan.txt", "dan,w,1")
    assert built.run().exit_code == 0
    built.drop("second.txt", "ann,q,1", "bob,q,1", "cid,r,1")
    built.run()
    owned = [("ann", "x"), ("bob", "y"), ("cid", "r"), ("cid", "z"), ("dan", "w")]
    assert built.rows("gold.mini_owners") == owned
    rule = "unique(item_id)"
    assert held(built) == [("gold.mini_owners", "ann", rule, 1), ("gold.mini_owners", "bob", rule, 1)]


def test_who_wants_a_key_that_stays_with_a_held_listener_waits_too(lake: Lake) -> None:
    def mini_latest(mini_events: DataFrame) -> DataFrame:
        """One row per item, which belongs to whoever paid most for it."""
        last = F.max_by("user_id", "amount").alias("user_id")
        best = mini_events.groupBy("item_id").agg(last, F.max("amount").alias("amount"))
        return best.select("user_id", "item_id", "amount")

    gold("mini_latest", mini_latest, ITEM, AMOUNT, scope="whole", key=["item_id"], rules=[at_least("amount", 0)])
    lake.drop("first.txt", "ann,x,5", "bob,y,1", "cid,z,8", "dan,w,8")
    assert lake.run("gold.mini_latest").exit_code == 0
    # Bob breaks a rule, and Ann takes over what stays his.
    lake.drop("second.txt", "bob,v,-1", "ann,y,9", "cid,u,2")
    lake.run("gold.mini_latest")
    assert lake.rows("gold.mini_latest") == [
        ("ann", "x", 5),
        ("bob", "y", 1),
        ("cid", "u", 2),
        ("cid", "z", 8),
        ("dan", "w", 8),
    ]
    assert held(lake) == [
        ("gold.mini_latest", "ann", "unique(item_id)", 1),
        ("gold.mini_latest", "bob", "at_least(amount,0)", 1),
    ]


def test_a_value_that_another_table_lacks_holds_back_whose_row_it_is(built: Lake) -> None:
    def mini_known(mini_events: DataFrame, mini_settings: DataFrame) -> DataFrame:
        """One row per user and item."""
        return mini_events.select("user_id", "item_id").distinct()

    names = foreign_key("item_id", "bronze.mini_settings", "user_id")
    gold("mini_known", mini_known, ITEM, key=["user_id", "item_id"], rules=[names])
    built.landing.joinpath("first.txt").unlink()
    shutil.rmtree(built.root)
    built.drop("other.txt", "ann,bob,1", "bob,ann,1", "bob,nobody,1", "bob,noone,1", "cid,cid,1")
    assert built.run("gold.mini_known").exit_code == 1
    assert built.rows("gold.mini_known") == [("ann", "bob"), ("cid", "cid")]
    assert held(built) == [("gold.mini_known", "bob", names.name, 2)]


def test_rows_that_name_no_listener_refuse_the_table(built: Lake) -> None:
    def mini_items_of(mini_events: DataFrame) -> DataFrame:
        """One row per item, with a user where the item is x."""
        who = F.when(F.col("item_id") == "x", F.col("user_id")).alias("user_id")
        return mini_events.select(who, "item_id", "amount")

    gold("mini_items_of", mini_items_of, ITEM, AMOUNT, scope="whole", key=["item_id"], rules=[at_least("amount", 2)])
    report = built.run()
    assert statuses(report)["gold.mini_items_of"] == "refused"
    assert error(report, "gold.mini_items_of") == (
        "at_least(amount,2): 1 of 3 (amount=1); at_least(amount,2) is broken by rows that name no listener"
    )


def test_a_new_column_is_null_in_the_rows_that_stay(built: Lake) -> None:
    built.drop("second.txt", "ann,x,10", "bob,y,-4")
    built.run()

    def mini_totals(mini_marked: DataFrame, mini_settings: DataFrame) -> DataFrame:
        """One row per user, with one column more."""
        return small_graph.mini_totals(mini_marked, mini_settings).withColumn("double", F.col("total") * 2)

    double = column("double", "bigint", "twice the total")
    schema = [*REGISTRY.pop("gold.mini_totals").columns, double]
    table("gold.mini_totals", key=["user_id"], scope="user", schema=schema, rules=[at_least("total", 0)])(mini_totals)
    assert built.run(full=True).exit_code == 1
    assert built.rows("gold.mini_totals", "user_id", "total", "double") == [("ann", 15, 30), ("bob", 1, None), ("cid", 8, 16)]


@pytest.mark.parametrize("scope_of_table", ["file", "whole"])
def test_tables_of_files_and_of_the_whole_hold_listeners_back_too(lake: Lake, scope_of_table: str) -> None:
    def mini_lines(mini_events: DataFrame) -> DataFrame:
        """One row per line."""
        return mini_events.select("user_id", "file_hash", "row_number", "amount")

    origin = [column("file_hash", "string", "file"), column("row_number", "bigint", "line")]
    key = ["file_hash", "row_number"]
    gold("mini_lines", mini_lines, *origin, AMOUNT, scope=scope_of_table, key=key, rules=[at_least("amount", 0)])
    lake.drop("first.txt", "ann,x,5", "bob,y,1", "cid,z,8")
    lake.run("gold.mini_lines")
    lake.drop("second.txt", "ann,x,10", "bob,y,2", "bob,y,-4")
    assert lake.run("gold.mini_lines").exit_code == 1
    assert lake.rows("gold.mini_lines", "user_id", "amount") == [("ann", 10), ("ann", 5), ("bob", 1), ("cid", 8)]
    assert held(lake) == [("gold.mini_lines", "bob", "at_least(amount,0)", 1)]
    versions = lake.versions()
    lake.run("gold.mini_lines")
    assert lake.versions() == versions
    gold("mini_lines", mini_lines, *origin, AMOUNT, scope=scope_of_table, key=key, rules=[at_least("amount", -5)])
    assert lake.run("gold.mini_lines").exit_code == 0
    assert lake.rows("gold.mini_lines", "user_id", "amount") == [
        *[("ann", 10), ("ann", 5), ("bob", -4), ("bob", 1), ("bob", 2)],
        ("cid", 8),
    ]


def test_a_run_that_dies_before_it_records_anything_is_made_up_for(built: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    def die(*_: object) -> None:
        raise KeyboardInterrupt

    built.drop("second.txt", "ann,x,10", "bob,y,-4")
    with monkeypatch.context() as patched:
        patched.setattr(Recorder, "_note_held", die)
        with pytest.raises(KeyboardInterrupt):
            built.run()
    assert held(built) == []
    assert built.run().exit_code == 1
    assert held(built) == [("gold.mini_totals", "bob", RULE, 1)]
    built.drop("third.txt", "bob,y,9")
    with monkeypatch.context() as patched:
        patched.setattr(Recorder, "flush", die)
        with pytest.raises(KeyboardInterrupt):
            built.run()
    assert (built.run().exit_code, held(built)) == (0, [])
    assert built.rows("gold.mini_totals", "user_id", "total") == [("ann", 15), ("bob", 6), ("cid", 8)]
    assert built.rows("gold.mini_site") == [("all", 29)]


def test_what_is_held_back_of_a_table_that_is_gone_is_forgotten(built: Lake) -> None:
    built.drop("second.txt", "bob,y,-4")
    built.run()
    del REGISTRY["gold.mini_site"], REGISTRY["gold.mini_totals"]
    assert (built.run().exit_code, held(built)) == (0, [])


def test_the_ledger_says_of_which_table_it_changed(built: Lake) -> None:
    built.drop("second.txt", "bob,y,-4")
    built.run()
    assert scope(built, HELD_KEYS.name) == Change(frozenset({"gold.mini_totals"}))
    assert delta.row_total(built.path(HELD_KEYS.name)) == 1
