"""The comparison of two lakehouses: what counts as a difference, and what does not."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from deltalake import write_deltalake

from lakehouse.declare import REGISTRY
from lakehouse.plan import graph
from lakehouse.storage.delta import arrow_schema
from lakehouse.storage.ledger import MODELS
from tests.equality import differences, equality

METRICS = "gold.model_performance_metrics"
METRIC = {"population": "real", "split": "test", "metric": "rmse", "model_name": "m", "model_type": "t", "value": 0.1, "n": 7}


@pytest.fixture(autouse=True, scope="module")
def _tables() -> None:
    graph.load()


def lakehouse(root: Path, model_id: str, rows: list[Mapping[str, Any]], *, old: tuple[str, ...] = ()) -> Path:
    """A lakehouse of one table, its rows made by the model, and of the models in use and not in use any more."""
    usual = {"model_id": model_id, "is_current": True, "_run_id": str(root)}
    _write(root, METRICS, [usual | METRIC | row for row in rows])
    models = [{"model_id": model_id, "model": "m", "is_current": True}]
    _write(root, MODELS.name, [*models, *({"model_id": name, "model": "m", "is_current": False} for name in old)])
    return root


def _write(root: Path, name: str, rows: list[Mapping[str, Any]]) -> None:
    declared = REGISTRY.get(name, MODELS)
    schema = pa.schema([field.with_nullable(True) for field in arrow_schema(declared)])
    write_deltalake(root.joinpath(*name.split(".")), pa.Table.from_pylist([dict(row) for row in rows], schema))


def test_ids_of_models_lineage_and_rounding_are_no_difference(tmp_path: Path) -> None:
    a = lakehouse(tmp_path / "a", "m-1", [{}])
    b = lakehouse(tmp_path / "b", "m-2", [{"value": 0.1 * (1 + 5e-10)}])
    assert equality(a, b) == {}
    assert equality(a, a) == {}
    by_id = differences(REGISTRY[METRICS], a, b)
    assert by_id == {"rows only in a": 1, "rows only in b": 1}, "without matching by name, ids count"


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ([{"value": 0.1 * (1 + 5e-9)}], {"value": 1}),
        ([{"value": None}], {"value": 1}),
        ([{"note": "doubtful"}], {"note": 1}),
        ([{"population": "synthetic"}], {"rows only in a": 1, "rows only in b": 1}),
        ([{}, {"metric": "mae"}], {"rows only in b": 1}),
        ([{}, {}], {"keys twice in b": 1}),
        ([], {"rows only in a": 1}),
    ],
)
def test_every_other_change_is_counted(tmp_path: Path, changed: list[dict[str, Any]], expected: dict[str, int]) -> None:
    a, b = lakehouse(tmp_path / "a", "m-1", [{}]), lakehouse(tmp_path / "b", "m-2", changed)
    assert equality(a, b) == {METRICS: expected}


def test_splits_that_named_a_population_read_as_today(tmp_path: Path) -> None:
    before = [("real", "test"), ("synthetic", "test_synthetic"), ("real", "test, temporal, novel only, real")]
    after = [("real", "test"), ("synthetic", "test"), ("real", "test, temporal, novel only")]
    a, b = (
        lakehouse(tmp_path / name, f"m-{name}", [{"population": population, "split": split} for population, split in rows])
        for name, rows in (("a", before), ("b", after))
    )
    assert equality(a, b) == {}


def test_rows_of_models_that_are_not_in_use_do_not_count(tmp_path: Path) -> None:
    a = lakehouse(tmp_path / "a", "m-1", [{}])
    b = lakehouse(tmp_path / "b", "m-2", [{}, {"model_id": "m-1", "value": 9.0}], old=("m-1",))
    assert equality(a, b) == {}


def test_a_table_of_one_lakehouse_only_is_a_difference(tmp_path: Path) -> None:
    a = lakehouse(tmp_path / "a", "m-1", [{}])
    assert equality(a, tmp_path) == {METRICS: {"built only in a": 1}}
    assert equality(tmp_path, a) == {METRICS: {"built only in b": 1}}
