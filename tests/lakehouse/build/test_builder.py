"""What a run rebuilds: the keys that changed and no others, in one commit, and nothing when nothing is new."""

from __future__ import annotations

import datetime as dt

import pytest
from deltalake import CommitProperties, DeltaTable

from lakehouse.declare import REGISTRY
from lakehouse.storage import changes
from lakehouse.storage.changes import Change
from tests.lakehouse.small_graph import Lake, keys_built, statuses

EVERY = {
    "bronze.mini_events",
    "bronze.mini_settings",
    "silver.mini_items",
    "silver.mini_marked",
    "gold.mini_totals",
    "gold.mini_site",
    "gold.mini_counts",
}


@pytest.fixture
def built(lake: Lake) -> Lake:
    """Ann and Bob share item x; Bob and Cid share item z."""
    lake.drop("first.txt", "ann,x,5", "ann,y,2", "bob,x,1", "bob,z,4", "cid,z,8")
    assert lake.run().exit_code == 0
    return lake


def run_ids(lake: Lake, table: str) -> dict[str, set[str]]:
    """The runs that wrote each user's rows."""
    found: dict[str, set[str]] = {}
    for user, run_id in lake.rows(table, "user_id", "_run_id"):
        found.setdefault(user, set()).add(run_id)
    return found


def test_the_first_run_builds_every_table(lake: Lake) -> None:
    lake.drop("first.txt", "ann,x,5", "ann,y,2", "bob,x,1")
    report = lake.run()
    assert statuses(report) == dict.fromkeys(EVERY, "built")
    assert (report.exit_code, report.engine_started, report.up_to_date) == (0, True, 0)
    assert lake.rows("silver.mini_items") == [("x", 6), ("y", 2)]
    assert lake.rows("silver.mini_marked") == [("ann", "x", 5, 6), ("ann", "y", 2, 2), ("bob", "x", 1, 6)]
    assert lake.rows("gold.mini_totals") == [("ann", 7, 8, 30), ("bob", 1, 6, 30)]
    assert lake.rows("gold.mini_site") == [("all", 8)]
    assert lake.rows("gold.mini_counts") == [("ann", 2), ("bob", 1)]


def test_a_table_appears_whole_in_its_first_commit(built: Lake) -> None:
    assert set(built.versions().values()) == {0}


def test_rows_carry_the_run_that_wrote_them(lake: Lake) -> None:
    lake.drop("first.txt", "ann,x,5")
    report = lake.run()
    [(run_id, built_at)] = lake.rows("gold.mini_totals", "_run_id", "_built_at")
    assert run_id == report.run_id
    assert built_at == report.started_at
    assert built_at.utcoffset() == dt.timedelta(0)


def test_a_run_with_nothing_new_starts_no_engine_and_commits_nothing(built: Lake) -> None:
    before = built.versions()
    report = built.run()
    assert (statuses(report), report.engine_started, report.up_to_date, report.exit_code) == ({}, False, 7, 0)
    assert built.versions() == before


def test_a_new_line_rebuilds_its_user_and_whom_its_item_touches(built: Lake) -> None:
    before = {name: run_ids(built, name) for name in ("silver.mini_marked", "gold.mini_totals", "gold.mini_counts")}
    built.drop("second.txt", "ann,x,10")
    report = built.run()
    assert built.rows("gold.mini_totals") == [("ann", 17, 18, 30), ("bob", 5, 28, 30), ("cid", 8, 12, 30)]
    assert built.rows("gold.mini_site") == [("all", 30)]
    # Item x changed, and Bob has it; Cid does not. The lines of Ann alone changed, so mini_counts has one key.
    assert keys_built(report) == {
        "bronze.mini_events": None,
        "bronze.mini_settings": 1,
        "silver.mini_items": None,
        "silver.mini_marked": 2,
        "gold.mini_totals": 2,
        "gold.mini_site": None,
        "gold.mini_counts": 1,
    }
    marked, totals, counts = (run_ids(built, name) for name in before)
    new = {report.run_id}
    assert (marked["ann"], marked["bob"], marked["cid"]) == (new, new, before["silver.mini_marked"]["cid"])
    assert (totals["ann"], totals["bob"], totals["cid"]) == (new, new, before["gold.mini_totals"]["cid"])
    assert (counts["ann"], counts["bob"]) == (new, before["gold.mini_counts"]["bob"])


def test_what_a_commit_changed_is_recorded_with_it(built: Lake) -> None:
    built.drop("second.txt", "ann,x,10")
    built.run()
    ann, both = Change(frozenset({"ann"})), Change(frozenset({"ann", "bob"}))
    found = {name: changes.change_since(built.path(name), 0, 1) for name in EVERY - {"bronze.mini_settings"}}
    assert found == {
        "bronze.mini_events": ann,
        "silver.mini_items": Change(frozenset({"x"})),
        "silver.mini_marked": both,
        "gold.mini_totals": both,
        "gold.mini_site": changes.EVERYTHING,
        "gold.mini_counts": ann,
    }


def test_a_table_whose_content_stays_the_same_is_not_published_and_stops_nothing(built: Lake) -> None:
    before = built.versions()
    built.drop("second.txt", "ann,y,0")
    report = built.run()
    assert statuses(report) == {
        "bronze.mini_events": "built",
        "bronze.mini_settings": "unchanged",
        "silver.mini_items": "unchanged",
        "silver.mini_marked": "unchanged",
        "gold.mini_totals": "up to date",
        "gold.mini_site": "up to date",
        "gold.mini_counts": "built",
    }
    changed = {name for name, version in built.versions().items() if version != before[name]}
    assert changed == {"bronze.mini_events", "gold.mini_counts"}
    assert statuses(built.run()) == {}


def test_a_user_whose_file_moves_to_another_listener_disappears(lake: Lake) -> None:
    lake.drop("listeners/ann/mine.txt", ",x,5", ",y,1")
    lake.drop("listeners/cid/his.txt", ",x,7")
    lake.run()
    cid = run_ids(lake, "gold.mini_counts")["cid"]
    (lake.landing / "listeners" / "bob").mkdir()
    (lake.landing / "listeners/ann/mine.txt").rename(lake.landing / "listeners/bob/mine.txt")
    assert lake.run().exit_code == 0
    assert lake.rows("gold.mini_totals") == [("bob", 6, 13, 30), ("cid", 7, 12, 30)]
    assert lake.rows("bronze.mini_settings") == [("bob", 30), ("cid", 30)]
    assert lake.rows("gold.mini_counts") == [("bob", 2), ("cid", 1)]
    assert run_ids(lake, "gold.mini_counts")["cid"] == cid


def test_a_key_deleted_upstream_disappears_downstream(built: Lake) -> None:
    metadata = changes.metadata_of(REGISTRY["bronze.mini_events"], Change(frozenset({"cid"})), "by hand", {})
    table = DeltaTable(built.path("bronze.mini_events"))
    table.delete("user_id = 'cid'", commit_properties=CommitProperties(custom_metadata={"userMetadata": metadata}))
    report = built.run()
    assert built.rows("gold.mini_totals") == [("ann", 7, 8, 30), ("bob", 5, 10, 30)]
    assert built.rows("gold.mini_counts") == [("ann", 2), ("bob", 2)]
    assert built.rows("silver.mini_items") == [("x", 6), ("y", 2), ("z", 4)]
    assert keys_built(report)["gold.mini_counts"] == 1


def test_a_commit_that_says_nothing_of_its_scope_rebuilds_everything_after_it(built: Lake) -> None:
    DeltaTable(built.path("bronze.mini_events")).delete("user_id = 'cid'")
    report = built.run()
    assert keys_built(report)["gold.mini_counts"] is None
    assert built.rows("gold.mini_counts") == [("ann", 2), ("bob", 2)]


def test_a_rearranged_upstream_makes_nothing_stale(built: Lake) -> None:
    built.drop("second.txt", "ann,x,10")
    built.run()
    DeltaTable(built.path("bronze.mini_events")).optimize.compact()
    assert statuses(built.run()) == {}


def test_a_parameter_rebuilds_the_tables_that_ask_for_it_and_the_users_it_concerns(built: Lake) -> None:
    bob = run_ids(built, "gold.mini_totals")["bob"]
    report = built.run(session_gap_minutes=45)
    assert built.builds(report)["bronze.mini_settings"]["why"] == "code or setting changed"
    assert set(statuses(report)) == {"bronze.mini_settings", "gold.mini_totals", "gold.mini_site"}
    assert keys_built(report)["gold.mini_totals"] == 1
    assert built.rows("gold.mini_totals") == [("ann", 7, 8, 45), ("bob", 5, 18, 30), ("cid", 8, 12, 30)]
    assert run_ids(built, "gold.mini_totals")["bob"] == bob


def test_a_full_rebuild_of_the_same_data_changes_nothing(built: Lake) -> None:
    before = built.versions()
    report = built.run(full=True)
    assert set(statuses(report).values()) == {"unchanged"}
    assert built.versions() == before


def test_a_selector_builds_what_the_table_needs_and_nothing_else(lake: Lake) -> None:
    lake.drop("first.txt", "ann,x,5")
    report = lake.run("silver.mini_marked")
    assert set(statuses(report)) == {"bronze.mini_events", "silver.mini_items", "silver.mini_marked"}
    assert lake.versions()["gold.mini_counts"] is None


def test_a_table_that_sat_out_two_runs_catches_up_with_both(lake: Lake) -> None:
    lake.drop("first.txt", "ann,x,5", "bob,x,1", "cid,z,3")
    lake.run()
    cid = run_ids(lake, "gold.mini_counts")["cid"]
    lake.drop("second.txt", "ann,q,10")
    lake.run("silver.mini_items")
    lake.drop("third.txt", "bob,r,20")
    lake.run("silver.mini_items")
    report = lake.run()
    assert keys_built(report)["gold.mini_counts"] == 2
    assert lake.rows("gold.mini_counts") == [("ann", 2), ("bob", 2), ("cid", 1)]
    assert run_ids(lake, "gold.mini_counts")["cid"] == cid
    assert lake.rows("gold.mini_site") == [("all", 39)]


@pytest.mark.parametrize("user", ["O'Brien", 'say "hi"', "''", "100%_", "müller 🎧", "x' OR '1'='1"])
def test_a_listener_with_an_awkward_name_is_replaced_alone(lake: Lake, user: str) -> None:
    lake.drop("first.txt", f"{user},x,5", "bob,y,1")
    lake.run("gold.mini_counts")
    bob = run_ids(lake, "gold.mini_counts")["bob"]
    lake.drop("second.txt", f"{user},x,6")
    lake.run("gold.mini_counts")
    assert dict(lake.rows("gold.mini_counts")) == {user: 2, "bob": 1}
    assert run_ids(lake, "gold.mini_counts")["bob"] == bob


@pytest.mark.parametrize("user", ["dot", "O'Brien", 'say "hi"', "müller 🎧"])
def test_a_listener_who_is_gone_upstream_is_gone_in_every_table(lake: Lake, user: str) -> None:
    lake.drop(f"listeners/{user}/mine.txt", ",x,5")
    lake.drop("listeners/bob/his.txt", ",y,7")
    lake.run()
    (lake.landing / "listeners" / user / "mine.txt").rename(lake.landing / "listeners/bob/mine.txt")
    assert lake.run().exit_code == 0
    for table in ("bronze.mini_settings", "silver.mini_marked", "gold.mini_totals", "gold.mini_counts"):
        assert {name for (name,) in lake.rows(table, "user_id")} == {"bob"}, table


@pytest.mark.parametrize("user", ["dot", "O'Brien"])
def test_a_listener_whose_rows_come_out_the_same_is_not_published_again(lake: Lake, user: str) -> None:
    lake.drop("first.txt", f"{user},x,5", "bob,y,7")
    lake.run()
    lake.drop("second.txt", f"{user},x,0")
    assert statuses(lake.run())["bronze.mini_settings"] == "unchanged"


def test_a_table_that_most_waits_for_overtakes_what_could_start_before_it(lake: Lake) -> None:
    lake.drop("a.csv", "ann,x,1", "bob,x,2")
    order = [outcome.table for outcome in lake.run(workers=1).outcomes]
    # mini_counts could be built right after mini_events, and nothing waits for it.
    assert order.index("silver.mini_marked") < order.index("gold.mini_totals") < order.index("gold.mini_counts")
