"""Who has to be left out of a table that breaks a rule, and what the table then holds."""

from __future__ import annotations

import shutil

import pytest
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from lakehouse.declare import REGISTRY, at_least, column, foreign_key, row_count, table
from tests.lakehouse import small_graph
from tests.lakehouse.small_graph import AMOUNT, ITEM, Lake, error_of, gold_table, keys_built, statuses

TOTAL = column("total", "bigint", "sum")
RULE = "at_least(total,0)"


@pytest.fixture
def built(lake: Lake) -> Lake:
    """Ann, Bob and Cid, of whom nobody breaks a rule."""
    lake.drop("first.txt", "ann,x,5", "bob,y,1", "cid,z,8")
    assert lake.run().exit_code == 0
    return lake


def test_more_than_half_of_the_listeners_refuse_the_table(built: Lake) -> None:
    built.drop("second.txt", "ann,x,-9", "bob,y,-4", "cid,z,1")
    report = built.run()
    assert (statuses(report)["gold.mini_totals"], statuses(report)["gold.mini_site"]) == ("refused", "blocked")
    assert str(error_of(report, "gold.mini_totals")).endswith("; 2 of 3 listeners break a rule, too many to hold back")
    assert built.held() == []
    assert built.rows("gold.mini_totals", "user_id", "total") == [("ann", 5), ("bob", 1), ("cid", 8)]


def test_the_share_counts_all_listeners_and_not_the_recomputed_ones(built: Lake) -> None:
    built.drop("second.txt", "bob,y,-4")
    assert keys_built(built.run())["gold.mini_totals"] == 1
    assert built.held() == [("gold.mini_totals", "bob", RULE, 1)]


def test_the_share_counts_the_listeners_of_the_landing_folder_too(lake: Lake) -> None:
    def mini_few(mini_events: DataFrame) -> DataFrame:
        """One row per line of item x."""
        return mini_events.where("item_id = 'x'").select("user_id", "item_id", "amount")

    gold_table("mini_few", mini_few, ITEM, AMOUNT, key=["user_id", "item_id"], rules=[at_least("amount", 0)])
    lake.drop("listeners/ann/a.txt", ",x,-1")
    lake.drop("listeners/bob/b.txt", ",y,1")
    assert statuses(lake.run("gold.mini_few"))["gold.mini_few"] == "built"
    assert (lake.rows("gold.mini_few"), lake.held()) == ([], [("gold.mini_few", "ann", "at_least(amount,0)", 1)])


def test_a_rule_over_the_whole_refuses_the_table(built: Lake) -> None:
    def mini_poor(mini_events: DataFrame) -> DataFrame:
        """One row per user with less than 6."""
        return mini_events.groupBy("user_id").agg(F.sum("amount").alias("total")).where("total < 6")

    gold_table("mini_poor", mini_poor, TOTAL, scope="whole", rules=[at_least("total", 0), row_count(0, "FAIL")])
    built.run()
    built.drop("second.txt", "ann,x,10", "bob,y,-4")
    report = built.run()
    assert statuses(report)["gold.mini_poor"] == "refused"
    assert str(error_of(report, "gold.mini_poor")).endswith("; row_count(-0%) is about the whole table")
    assert built.rows("gold.mini_poor") == [("ann", 5), ("bob", 1)]


def test_all_listeners_who_share_a_key_are_held_back(built: Lake) -> None:
    def mini_owners(mini_events: DataFrame) -> DataFrame:
        """One row per item, as long as nobody shares one."""
        return mini_events.select("user_id", "item_id").distinct()

    gold_table("mini_owners", mini_owners, ITEM, key=["item_id"])
    built.drop("dan.txt", "dan,w,1")
    assert built.run().exit_code == 0
    built.drop("second.txt", "ann,q,1", "bob,q,1", "cid,r,1")
    built.run()
    owned = [("ann", "x"), ("bob", "y"), ("cid", "r"), ("cid", "z"), ("dan", "w")]
    assert built.rows("gold.mini_owners") == owned
    rule = "unique(item_id)"
    assert built.held() == [("gold.mini_owners", "ann", rule, 1), ("gold.mini_owners", "bob", rule, 1)]


def test_who_wants_a_key_that_stays_with_a_held_listener_waits_too(lake: Lake) -> None:
    def mini_latest(mini_events: DataFrame) -> DataFrame:
        """One row per item, which belongs to whoever paid most for it."""
        last = F.max_by("user_id", "amount").alias("user_id")
        best = mini_events.groupBy("item_id").agg(last, F.max("amount").alias("amount"))
        return best.select("user_id", "item_id", "amount")

    gold_table("mini_latest", mini_latest, ITEM, AMOUNT, scope="whole", key=["item_id"], rules=[at_least("amount", 0)])
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
    assert lake.held() == [
        ("gold.mini_latest", "ann", "unique(item_id)", 1),
        ("gold.mini_latest", "bob", "at_least(amount,0)", 1),
    ]


def test_a_value_that_another_table_lacks_holds_back_whose_row_it_is(built: Lake) -> None:
    def mini_known(mini_events: DataFrame, mini_settings: DataFrame) -> DataFrame:
        """One row per user and item."""
        return mini_events.select("user_id", "item_id").distinct()

    names = foreign_key("item_id", "bronze.mini_settings", "user_id")
    gold_table("mini_known", mini_known, ITEM, key=["user_id", "item_id"], rules=[names])
    built.landing.joinpath("first.txt").unlink()
    shutil.rmtree(built.root)
    built.drop("other.txt", "ann,bob,1", "bob,ann,1", "bob,nobody,1", "bob,noone,1", "cid,cid,1")
    assert built.run("gold.mini_known").exit_code == 1
    assert built.rows("gold.mini_known") == [("ann", "bob"), ("cid", "cid")]
    assert built.held() == [("gold.mini_known", "bob", names.name, 2)]


def test_rows_that_name_no_listener_refuse_the_table(built: Lake) -> None:
    def mini_items_of(mini_events: DataFrame) -> DataFrame:
        """One row per item, with a user where the item is x."""
        who = F.when(F.col("item_id") == "x", F.col("user_id")).alias("user_id")
        return mini_events.select(who, "item_id", "amount")

    gold_table("mini_items_of", mini_items_of, ITEM, AMOUNT, scope="whole", key=["item_id"], rules=[at_least("amount", 2)])
    report = built.run()
    assert statuses(report)["gold.mini_items_of"] == "refused"
    assert error_of(report, "gold.mini_items_of") == (
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
    gold_table("mini_lines", mini_lines, *origin, AMOUNT, scope=scope_of_table, key=key, rules=[at_least("amount", 0)])
    lake.drop("first.txt", "ann,x,5", "bob,y,1", "cid,z,8")
    lake.run("gold.mini_lines")
    lake.drop("second.txt", "ann,x,10", "bob,y,2", "bob,y,-4")
    assert lake.run("gold.mini_lines").exit_code == 1
    assert lake.rows("gold.mini_lines", "user_id", "amount") == [("ann", 10), ("ann", 5), ("bob", 1), ("cid", 8)]
    assert lake.held() == [("gold.mini_lines", "bob", "at_least(amount,0)", 1)]
    versions = lake.versions()
    lake.run("gold.mini_lines")
    assert lake.versions() == versions
    gold_table("mini_lines", mini_lines, *origin, AMOUNT, scope=scope_of_table, key=key, rules=[at_least("amount", -5)])
    assert lake.run("gold.mini_lines").exit_code == 0
    assert lake.rows("gold.mini_lines", "user_id", "amount") == [
        *[("ann", 10), ("ann", 5), ("bob", -4), ("bob", 1), ("bob", 2)],
        ("cid", 8),
    ]
