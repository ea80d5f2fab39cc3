"""What a changed module of a table does: the table is built again, whole, with its history kept."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from deltalake import DeltaTable

from lakehouse import settings
from tests.lakehouse.small_graph import Lake, statuses

BEFORE = '''
from pyspark.sql import functions as F
from lakehouse.declare import column, table

@table("gold.mini_sums", key=["user_id"], scope="user", schema=[
    column("user_id", "string", "who"), column("total", "bigint", "sum of amounts")])
def mini_sums(mini_events):
    """One row per user."""
    return mini_events.groupBy("user_id").agg(F.sum("amount").alias("total"))
'''
WITH_COLUMN = BEFORE.replace(
    'column("total"', 'column("lines", "bigint", "number of lines", nullable=False), column("total"'
).replace(".agg(", '.agg(F.count("*").alias("lines"), ')


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A project folder of its own, beside the real one's declarations."""
    monkeypatch.setattr(settings, "PROJECT_ROOT", tmp_path)
    yield tmp_path
    sys.modules.pop("mini_sums_module", None)


def write(project: Path, code: str) -> None:
    """Write the module, and declare its table as a new process would."""
    path = project / "mini_sums_module.py"
    path.write_text(code)
    spec = importlib.util.spec_from_file_location("mini_sums_module", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["mini_sums_module"] = module
    exec(compile(code, str(path), "exec"), module.__dict__)  # noqa: S102 not from a stale .pyc of the same second


def test_a_changed_module_rebuilds_its_table_and_no_other(lake: Lake, project: Path) -> None:
    write(project, BEFORE)
    lake.drop("first.txt", "ann,x,5", "bob,y,1")
    lake.run()
    write(project, BEFORE.replace('F.sum("amount")', 'F.sum(F.col("amount") * 2)'))
    report = lake.run()
    assert statuses(report) == {"gold.mini_sums": "built"}
    assert lake.builds(report)["gold.mini_sums"]["why"] == "code or setting changed"
    assert lake.rows("gold.mini_sums") == [("ann", 10), ("bob", 2)]


def test_a_changed_module_with_the_same_result_is_not_published(lake: Lake, project: Path) -> None:
    write(project, BEFORE)
    lake.drop("first.txt", "ann,x,5")
    lake.run()
    write(project, BEFORE + "\nSAID_DIFFERENTLY = True\n")
    assert statuses(lake.run()) == {"gold.mini_sums": "unchanged"}
    assert lake.versions()["gold.mini_sums"] == 0
    assert statuses(lake.run()) == {}


def test_a_comment_and_a_docstring_of_a_helper_change_nothing(lake: Lake, project: Path) -> None:
    write(project, BEFORE)
    lake.drop("first.txt", "ann,x,5")
    lake.run()
    write(project, '"""Sums."""\n' + BEFORE + "\n# said differently\n")
    report = lake.run()
    assert (statuses(report), report.described_anew, report.engine_started) == ({}, (), False)
    assert lake.versions()["gold.mini_sums"] == 0


def test_a_changed_comment_is_one_metadata_commit_and_starts_no_engine(lake: Lake, project: Path) -> None:
    write(project, BEFORE)
    lake.drop("first.txt", "ann,x,5", "bob,y,1")
    lake.run()
    before = lake.versions()
    write(project, BEFORE.replace("sum of amounts", "all amounts together"))
    report = lake.run()
    assert (statuses(report), report.described_anew, report.engine_started) == ({}, ("gold.mini_sums",), False)
    assert lake.versions() == before | {"gold.mini_sums": 1}
    table = DeltaTable(lake.path("gold.mini_sums"))
    assert {f.name: f.metadata["comment"] for f in table.schema().fields}["total"] == "all amounts together"
    assert table.file_uris() == DeltaTable(lake.path("gold.mini_sums"), version=0).file_uris()
    assert lake.run().described_anew == ()
    lake.drop("second.txt", "ann,x,6")
    assert next(o.keys for o in lake.run().outcomes if o.table == "gold.mini_sums") == 1
    assert lake.rows("gold.mini_sums") == [("ann", 11), ("bob", 1)]


def test_a_changed_description_reaches_the_table_and_rebuilds_nothing_below(lake: Lake, project: Path) -> None:
    write(project, BEFORE)
    lake.drop("first.txt", "ann,x,5")
    lake.run()
    write(project, BEFORE.replace("One row per user.", "One row per user, ever."))
    assert lake.run().described_anew == ("gold.mini_sums",)
    assert DeltaTable(lake.path("gold.mini_sums")).metadata().description == "One row per user, ever."
    assert statuses(lake.run()) == {}


def test_a_table_rebuilt_by_other_code_has_the_new_description_too(lake: Lake, project: Path) -> None:
    write(project, BEFORE)
    lake.drop("first.txt", "ann,x,5")
    lake.run()
    write(project, WITH_COLUMN.replace("One row per user.", "One row per user, ever."))
    assert statuses(lake.run()) == {"gold.mini_sums": "built"}
    assert DeltaTable(lake.path("gold.mini_sums")).metadata().description == "One row per user, ever."
    assert (statuses(report := lake.run()), report.described_anew) == ({}, ())


def test_a_new_column_replaces_the_table_in_one_commit_and_keeps_its_history(lake: Lake, project: Path) -> None:
    write(project, BEFORE)
    lake.drop("first.txt", "ann,x,5", "ann,y,2")
    lake.run()
    write(project, WITH_COLUMN)
    lake.run()
    assert lake.rows("gold.mini_sums") == [("ann", 2, 7)]
    table = DeltaTable(lake.path("gold.mini_sums"))
    assert table.version() == 1
    fields = {field.name: field for field in table.schema().fields}
    assert not fields["lines"].nullable
    assert fields["lines"].metadata["comment"] == "number of lines"
    assert list(fields) == ["user_id", "lines", "total", "_run_id", "_built_at"]
    earlier = DeltaTable(lake.path("gold.mini_sums"), version=0).to_pyarrow_table(columns=["user_id", "total"])
    assert earlier.to_pylist() == [{"user_id": "ann", "total": 7}]


def test_a_removed_column_and_a_changed_comment_reach_the_table(lake: Lake, project: Path) -> None:
    write(project, WITH_COLUMN)
    lake.drop("first.txt", "ann,x,5")
    lake.run()
    write(project, BEFORE.replace("sum of amounts", "all amounts together"))
    lake.run()
    fields = {field.name: field for field in DeltaTable(lake.path("gold.mini_sums")).schema().fields}
    assert list(fields) == ["user_id", "total", "_run_id", "_built_at"]
    assert fields["total"].metadata["comment"] == "all amounts together"


def test_incremental_builds_go_on_after_a_schema_change(lake: Lake, project: Path) -> None:
    write(project, BEFORE)
    lake.drop("first.txt", "ann,x,5", "bob,y,1")
    lake.run()
    write(project, WITH_COLUMN)
    lake.run()
    lake.drop("second.txt", "ann,x,6")
    report = lake.run()
    assert next(o.keys for o in report.outcomes if o.table == "gold.mini_sums") == 1
    assert lake.rows("gold.mini_sums") == [("ann", 2, 11), ("bob", 1, 1)]
