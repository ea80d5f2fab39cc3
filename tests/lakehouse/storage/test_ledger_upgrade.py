"""Ledger tables of an older version of the project: other comments, fewer columns."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from lakehouse.declare import Table
from lakehouse.storage import delta, publishing
from lakehouse.storage.ledger import PIPELINE_RUNS

ROW = {"run_id": "r", "status": "succeeded"}


def older() -> Table:
    """The table with a column less, and with another comment on each."""
    return replace(PIPELINE_RUNS, columns=tuple(replace(c, comment=f"once {c.comment}") for c in PIPELINE_RUNS.columns[:-1]))


def test_rows_are_appended_to_and_replaced_in_a_table_of_an_older_version(tmp_path: Path) -> None:
    publishing.append_rows(tmp_path, older(), [ROW])
    publishing.append_rows(tmp_path, PIPELINE_RUNS, [ROW | {"run_id": "s", "new_rows": 5}])
    publishing.append_rows(tmp_path, PIPELINE_RUNS, [ROW | {"status": "killed", "new_rows": 6}], replace="run_id = 'r'")
    rows = delta.read_rows(tmp_path, ["run_id", "status", "new_rows"])
    assert sorted(rows, key=lambda row: str(row["run_id"])) == [
        {"run_id": "r", "status": "killed", "new_rows": 6},
        {"run_id": "s", "status": "succeeded", "new_rows": 5},
    ]
