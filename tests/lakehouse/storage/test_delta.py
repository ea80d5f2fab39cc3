"""Publishing and reading Delta tables: one commit each, with comments and NOT NULL, and what each commit changed."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from deltalake import DeltaTable
from deltalake.exceptions import DeltaError

from lakehouse.declare import REGISTRY, Table
from lakehouse.storage import changes, delta, publishing
from lakehouse.storage.changes import EVERYTHING, NOTHING, Change
from tests.lakehouse.small_graph import declared

AT = dt.datetime(2024, 1, 1, tzinfo=dt.timezone.utc)
ANN, BOB = Change(frozenset({"ann"})), Change(frozenset({"bob"}))


@pytest.fixture
def totals() -> Iterator[Table]:
    with declared():
        yield REGISTRY["gold.mini_totals"]


def publish(folder: Path, table: Table, rows: dict[str, int], change: Change = EVERYTHING, predicate: str | None = None) -> int:
    """Publish a total per user."""
    staged = folder / "staged"
    staged.mkdir(exist_ok=True)
    names = pa.array(list(rows), pa.string())
    columns = {
        "user_id": names,
        "total": pa.array(list(rows.values()), pa.int64()),
        "heard": pa.nulls(len(rows), pa.int64()),
        "gap": pa.nulls(len(rows), pa.int32()),
        "_run_id": pa.array(["r"] * len(rows), pa.string()),
        "_built_at": pa.array([AT] * len(rows), pa.timestamp("us", "UTC")),
    }
    pq.write_table(pa.table(columns), staged / "part.parquet")
    return publishing.publish(folder / "table", table, staged, predicate, changes.metadata_of(table, change, "r", {}))


def totals_in(folder: Path) -> dict[str, int]:
    return {row["user_id"]: row["total"] for row in delta.read_rows(folder / "table", ["user_id", "total"])}


def test_the_first_commit_has_description_comments_not_null_and_rows(tmp_path: Path, totals: Table) -> None:
    assert publish(tmp_path, totals, {"ann": 1}) == 0
    table = DeltaTable(tmp_path / "table")
    assert (table.metadata().name, table.metadata().description) == ("gold.mini_totals", "One row per user.")
    fields = {field.name: field for field in table.schema().fields}
    assert [fields[name].nullable for name in ("user_id", "total", "_run_id")] == [False, True, True]
    assert fields["total"].metadata["comment"] == "sum of amounts"
    assert totals_in(tmp_path) == {"ann": 1}
    assert len(table.history()) == 1
    protocol = table.protocol()
    assert (protocol.min_reader_version, protocol.min_writer_version) == (1, 2)


def test_a_null_in_a_column_that_has_none_is_refused(tmp_path: Path, totals: Table) -> None:
    publish(tmp_path, totals, {"ann": 1})
    with pytest.raises((DeltaError, pa.ArrowInvalid, ValueError)):
        publish(tmp_path, totals, {None: 1})  # type: ignore[dict-item]
    assert totals_in(tmp_path) == {"ann": 1}


@pytest.mark.parametrize("user", ["ann", "O'Brien", "''", 'x"y', "a\\b", "x' OR 'a'='a", "%", "ünï 🎧"])
def test_a_predicate_replaces_its_keys_and_leaves_others_alone(tmp_path: Path, totals: Table, user: str) -> None:
    publish(tmp_path, totals, {user: 1, "other": 2, "third": 3})
    assert publish(tmp_path, totals, {user: 9}, predicate=delta.quoted_in("user_id", [user])) == 1
    assert totals_in(tmp_path) == {user: 9, "other": 2, "third": 3}


def test_a_key_without_new_rows_is_removed(tmp_path: Path, totals: Table) -> None:
    publish(tmp_path, totals, {"ann": 1, "bob": 2})
    publish(tmp_path, totals, {}, predicate=delta.quoted_in("user_id", ["ann"]))
    assert totals_in(tmp_path) == {"bob": 2}


def test_rows_outside_the_predicate_are_refused(tmp_path: Path, totals: Table) -> None:
    publish(tmp_path, totals, {"ann": 1, "bob": 2})
    with pytest.raises(DeltaError):
        publish(tmp_path, totals, {"bob": 7}, predicate=delta.quoted_in("user_id", ["ann"]))
    assert totals_in(tmp_path) == {"ann": 1, "bob": 2}


def test_without_a_predicate_all_is_replaced_and_earlier_versions_stay_readable(tmp_path: Path, totals: Table) -> None:
    publish(tmp_path, totals, {"ann": 1, "bob": 2})
    assert publish(tmp_path, totals, {"cid": 3}) == 1
    assert totals_in(tmp_path) == {"cid": 3}
    assert DeltaTable(tmp_path / "table", version=0).to_pyarrow_table().num_rows == 2


def test_many_keys_fit_into_one_predicate(tmp_path: Path, totals: Table) -> None:
    users = {f"user {n}": n for n in range(1000)}
    publish(tmp_path, totals, {**users, "bob": 2})
    publish(tmp_path, totals, dict.fromkeys(users, -1), predicate=delta.quoted_in("user_id", users))
    found = totals_in(tmp_path)
    assert (found.pop("bob"), set(found.values()), len(found)) == (2, {-1}, 1000)


def test_changes_since_a_version_are_the_union_of_the_commits_after_it(tmp_path: Path, totals: Table) -> None:
    for change in (EVERYTHING, ANN, BOB):
        publish(tmp_path, totals, {"ann": 1}, change)
    path = tmp_path / "table"
    assert changes.change_since(path, 2, 2) == NOTHING
    assert changes.change_since(path, 1, 2) == BOB
    assert changes.change_since(path, 0, 2) == Change(frozenset({"ann", "bob"}))
    assert changes.change_since(path, -1, 2) == EVERYTHING


def test_changes_up_to_a_version_leave_out_what_was_committed_after_it(tmp_path: Path, totals: Table) -> None:
    for change in (EVERYTHING, ANN, BOB):
        publish(tmp_path, totals, {"ann": 1}, change)
    assert changes.change_since(tmp_path / "table", 0, 1) == ANN


def test_a_table_that_is_younger_than_what_was_consumed_changed_altogether(tmp_path: Path, totals: Table) -> None:
    publish(tmp_path, totals, {"ann": 1}, ANN)
    assert changes.change_since(tmp_path / "table", 5, 0) == EVERYTHING


def test_commits_that_rearrange_files_change_nothing(tmp_path: Path, totals: Table) -> None:
    publish(tmp_path, totals, {"ann": 1, "bob": 2})
    publish(tmp_path, totals, {"ann": 2}, ANN, delta.quoted_in("user_id", ["ann"]))
    path = tmp_path / "table"
    table = DeltaTable(path)
    table.optimize.compact()
    table.vacuum(retention_hours=0, enforce_retention_duration=False, dry_run=False)
    newest = delta.version(path)
    assert newest is not None
    assert newest > 1
    assert changes.change_since(path, 1, newest) == NOTHING
    assert changes.change_since(path, 0, newest) == ANN


@pytest.mark.parametrize("metadata", ["", "not json", "[]", "{}", '{"changed": 5}'])
def test_a_commit_that_says_nothing_readable_changed_everything(tmp_path: Path, totals: Table, metadata: str) -> None:
    publish(tmp_path, totals, {"ann": 1})
    publishing.publish(tmp_path / "table", totals, tmp_path / "staged", None, metadata)
    assert changes.change_since(tmp_path / "table", 0, 1) == EVERYTHING


def test_change_scopes_add_up() -> None:
    assert Change(frozenset({"ann", "bob"})) == ANN | BOB
    assert (ANN | EVERYTHING, EVERYTHING | NOTHING, NOTHING | NOTHING) == (EVERYTHING, EVERYTHING, NOTHING)
    assert (bool(ANN), bool(EVERYTHING), bool(NOTHING)) == (True, True, False)
    assert [Change.from_json(change.to_json()) for change in (ANN, EVERYTHING, NOTHING)] == [ANN, EVERYTHING, NOTHING]


def test_the_metadata_of_a_commit_names_run_keys_and_upstreams(tmp_path: Path, totals: Table) -> None:
    told = json.loads(changes.metadata_of(totals, BOB | ANN, "run 7", {"silver.a": 3}))
    assert told == {"column": "user_id", "changed": ["ann", "bob"], "run_id": "run 7", "upstreams": {"silver.a": 3}}


def test_where_there_is_no_table_there_are_no_version_and_no_rows(tmp_path: Path) -> None:
    assert delta.version(tmp_path / "absent") is None
    assert delta.read_rows(tmp_path / "absent") == []
    assert delta.holds_any(tmp_path / "absent", "user_id", ["ann"]) is False
    (tmp_path / "begun" / "_delta_log").mkdir(parents=True)
    assert delta.version(tmp_path / "begun") is None


def test_holds_any_finds_exactly_the_value(tmp_path: Path, totals: Table) -> None:
    publish(tmp_path, totals, {"ann": 1})
    path = tmp_path / "table"
    assert [delta.holds_any(path, "user_id", v) for v in (["ann"], ["an"], ["bob", "ann"])] == [True, False, True]
