"""What a failed or refused table stops: its dependents, for this run, and nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from lakehouse.declare import REGISTRY, DeclarationError, at_least, column, table
from lakehouse.storage import delta
from lakehouse.storage.ledger import Ledger
from tests.lakehouse import small_graph
from tests.lakehouse.small_graph import RAISING, USER, Lake, keys_built, statuses


def test_a_transform_that_raises_fails_alone_and_blocks_only_what_needs_it(lake: Lake) -> None:
    lake.drop("first.txt", "ann,x,5")
    RAISING.add("gold.mini_totals")
    report = lake.run()
    found = statuses(report)
    assert (found.pop("gold.mini_totals"), found.pop("gold.mini_site")) == ("failed", "blocked")
    assert set(found.values()) == {"built"}
    assert lake.rows("gold.mini_counts") == [("ann", 1)]
    errors = {outcome.table: outcome.error for outcome in report.outcomes if outcome.error}
    assert errors == {
        "gold.mini_totals": "RuntimeError: no luck today",
        "gold.mini_site": "needs gold.mini_totals, which was not built",
    }
    assert report.exit_code == 1
    assert lake.builds(report)["gold.mini_totals"]["status"] == "failed"


def test_a_table_that_failed_twice_catches_up_with_all_it_missed(lake: Lake) -> None:
    lake.drop("first.txt", "ann,x,5", "bob,x,1", "cid,z,3")
    lake.run()
    RAISING.add("gold.mini_totals")
    lake.drop("second.txt", "ann,q,10")
    assert lake.run().exit_code == 1
    lake.drop("third.txt", "bob,r,20")
    assert lake.run().exit_code == 1
    assert lake.rows("gold.mini_totals") == [("ann", 5, 6, 30), ("bob", 1, 6, 30), ("cid", 3, 3, 30)]
    RAISING.clear()
    report = lake.run()
    assert keys_built(report) == {"gold.mini_totals": 2, "gold.mini_site": None}
    assert lake.rows("gold.mini_totals") == [("ann", 15, 16, 30), ("bob", 21, 26, 30), ("cid", 3, 3, 30)]
    assert lake.rows("gold.mini_site") == [("all", 39)]
    assert statuses(lake.run()) == {}


def test_a_failed_table_is_tried_again_although_nothing_is_new(lake: Lake) -> None:
    lake.drop("first.txt", "ann,x,5")
    RAISING.add("gold.mini_totals")
    lake.run()
    assert statuses(lake.run()) == {"gold.mini_totals": "failed", "gold.mini_site": "blocked"}
    RAISING.clear()
    assert statuses(lake.run()) == {"gold.mini_totals": "built", "gold.mini_site": "built"}


def test_a_broken_fail_rule_keeps_the_old_version_and_blocks_only_dependents(lake: Lake) -> None:
    lake.drop("first.txt", "bob,y,1")
    lake.run()
    before = lake.versions()
    lake.drop("second.txt", "bob,y,-4")
    report = lake.run()
    found = statuses(report)
    assert (found["gold.mini_totals"], found["gold.mini_site"], found["gold.mini_counts"]) == ("refused", "blocked", "built")
    assert report.exit_code == 1
    assert lake.rows("gold.mini_totals") == [("bob", 1, 1, 30)]
    assert lake.versions()["gold.mini_totals"] == before["gold.mini_totals"]
    assert lake.rows("gold.mini_site") == [("all", 1)]
    error = next(outcome.error for outcome in report.outcomes if outcome.table == "gold.mini_totals")
    assert error == "at_least(total,0): 1 of 1 (total=-3); 1 of 1 listeners break a rule, too many to hold back"
    assert lake.checks(report, "gold.mini_totals")["at_least(total,0)"] == "FAIL"


def test_a_refused_table_is_published_once_its_data_is_right(lake: Lake) -> None:
    lake.drop("first.txt", "bob,y,-4")
    assert statuses(lake.run())["gold.mini_totals"] == "refused"
    assert lake.versions()["gold.mini_totals"] is None
    lake.drop("second.txt", "bob,y,6")
    report = lake.run()
    assert (statuses(report)["gold.mini_totals"], report.exit_code) == ("built", 0)
    assert lake.rows("gold.mini_totals") == [("bob", 2, 2, 30)]


def test_a_broken_warn_rule_is_told_and_published(lake: Lake) -> None:
    lake.drop("first.txt", "ann,x,5", "bob,y,1", "bob,z,1")
    report = lake.run()
    assert (statuses(report)["gold.mini_counts"], report.exit_code) == ("built", 0)
    assert lake.rows("gold.mini_counts") == [("ann", 1), ("bob", 2)]
    assert lake.checks(report, "gold.mini_counts") == {
        "unique(user_id)": "PASS",
        "not_null(user_id)": "PASS",
        "at_least(lines,2)": "WARN",
    }


def test_rows_that_share_a_key_are_never_published(lake: Lake) -> None:
    def mini_twice(mini_events: DataFrame) -> DataFrame:
        """One row per user, by mistake two."""
        users = mini_events.select("user_id").distinct()
        return users.unionByName(users)

    table("gold.mini_twice", key=["user_id"], scope="user", schema=[small_graph.USER])(mini_twice)
    lake.drop("first.txt", "ann,x,5")
    report = lake.run("gold.mini_twice")
    assert statuses(report)["gold.mini_twice"] == "refused"
    assert lake.versions()["gold.mini_twice"] is None
    assert lake.checks(report, "gold.mini_twice")["unique(user_id)"] == "FAIL"


def test_a_transform_with_other_columns_than_declared_fails_and_names_them(lake: Lake) -> None:
    def mini_odd(mini_events: DataFrame) -> DataFrame:
        """One row per user."""
        return mini_events.select("user_id", "amount").distinct()

    lines = column("lines", "bigint", "number of lines")
    table("gold.mini_odd", key=["user_id"], scope="user", schema=[small_graph.USER, lines])(mini_odd)
    lake.drop("first.txt", "ann,x,5")
    report = lake.run("gold.mini_odd")
    error = next(outcome.error for outcome in report.outcomes if outcome.table == "gold.mini_odd")
    assert statuses(report)["gold.mini_odd"] == "failed"
    assert "missing ['lines'], extra ['amount']" in str(error)


def test_a_run_that_an_error_ends_is_recorded_as_failed(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    lake.drop("first.txt", "ann,x,5")

    def no_room(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr("lakehouse.run.run.read_new_files", no_room)
        with pytest.raises(OSError, match="No space left"):
            lake.run()
    [row] = Ledger(lake.root).runs()
    assert (row["status"], row["exit_code"]) == ("failed", 1)
    assert lake.run().killed == []


def test_a_setting_that_is_missing_is_found_before_the_run_begins(lake: Lake) -> None:
    lake.drop("first.txt", "ann,x,5")
    gap = column("gap", "int", "minutes")
    table("gold.mini_sleep", key=["user_id"], scope="user", schema=[USER, gap])(with_unknown_setting)
    with pytest.raises(DeclarationError, match=r"no setting provides hours_of_sleep; `parameters\(\)` of the settings"):
        lake.run()
    assert not (lake.root / "ops").exists()


def with_unknown_setting(mini_events: DataFrame, *, hours_of_sleep: int) -> DataFrame:
    """One row per user."""
    return mini_events.select("user_id").distinct().withColumn("gap", F.lit(hours_of_sleep))


def test_files_of_a_refused_bronze_table_are_read_again_by_the_next_run(lake: Lake) -> None:
    lake.drop("first.txt", "ann,x,5")
    table(
        "bronze.mini_events",
        key=["file_hash", "row_number"],
        scope="user",
        schema=REGISTRY["bronze.mini_events"].columns,
        rules=[at_least("amount", 10)],
        sources=[small_graph.Lines()],
    )(small_graph.mini_events)
    assert statuses(lake.run())["bronze.mini_events"] == "refused"
    small_graph.declare()
    report = lake.run()
    assert statuses(report)["bronze.mini_events"] == "built"
    assert lake.rows("gold.mini_totals") == [("ann", 5, 5, 30)]


def test_what_needs_spark_is_not_built_without_java_and_says_how_to_get_it(
    lake: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table("gold.mini_model", key=["user_id"], scope="user", schema=[small_graph.USER], needs="spark")(mini_model)
    lake.drop("first.txt", "ann,x,5")
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("JAVA_HOME", raising=False)
    report = lake.run(engine="auto")
    found = {outcome.table: outcome for outcome in report.outcomes}
    assert found["gold.mini_model"].status == "not built"
    assert "install JDK" in str(found["gold.mini_model"].error)
    assert delta.version(lake.path("gold.mini_counts")) == 0
    assert report.exit_code == 0


def test_what_needs_a_table_that_cannot_be_built_without_java_is_no_failure_either(
    lake: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def mini_scores(mini_model: DataFrame) -> DataFrame:
        """One row per user."""
        return mini_model

    table("gold.mini_model", key=["user_id"], scope="user", schema=[small_graph.USER], needs="spark")(mini_model)
    table("gold.mini_scores", key=["user_id"], scope="user", schema=[small_graph.USER])(mini_scores)
    lake.drop("first.txt", "ann,x,5")
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("JAVA_HOME", raising=False)
    assert lake.run().exit_code == 0


def mini_model(mini_events: DataFrame) -> DataFrame:
    """One row per user."""
    return mini_events.select("user_id").distinct()
