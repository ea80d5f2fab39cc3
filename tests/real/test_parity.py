"""Both engines give the same rows for every table: doubles to 1e-9 relative, all else exactly."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest
from deltalake import DeltaTable

from lakehouse.declare import REGISTRY, Table
from lakehouse.plan import graph

pytestmark = pytest.mark.spark
graph.load()
COMPARED = sorted(
    name for name, declared in REGISTRY.items() if declared.module.split(".")[0] in ("bronze", "silver", "gold", "validators")
)


def differences(declared: Table, left: Path, right: Path, where: str = "true") -> dict[str, int]:
    """Per column (and for whole rows) how many rows of the two lakehouses differ, of those that `where` holds for."""
    connection = duckdb.connect()
    for name, root in (("a", left), ("b", right)):
        connection.register(f"all_{name}", DeltaTable(root / declared.layer / declared.short_name).to_pyarrow_table())
        connection.sql(f"CREATE VIEW {name} AS SELECT * FROM all_{name} WHERE {where}")
    on = " AND ".join(f'a."{key}" IS NOT DISTINCT FROM b."{key}"' for key in declared.key)
    counts = {}
    for side, other in (("a", "b"), ("b", "a")):
        counts[f"rows only in {side}"] = connection.sql(f"SELECT count(*) FROM {side} ANTI JOIN {other} ON {on}").fetchall()[0][0]
    judged = []
    for column in declared.columns:
        if column.name.startswith("_") or column.name in declared.key:
            continue
        x, y = f'a."{column.name}"', f'b."{column.name}"'
        differs = f"{x} IS DISTINCT FROM {y}"
        if column.type == "double":
            differs += f" AND NOT coalesce(abs({x} - {y}) <= 1e-9 * greatest(abs({x}), abs({y})) + 1e-12, false)"
        if column.type == "array<double>":
            apart = f"list_max(list_transform(list_zip({x}, {y}), lambda pair: abs(pair[1] - pair[2])))"
            differs += f" AND NOT coalesce(len({x}) = len({y}) AND {apart} <= 1e-9, false)"
        judged.append(f'count(*) FILTER ({differs}) AS "{column.name}"')
    if judged:
        row = connection.sql(f"SELECT {', '.join(judged)} FROM a JOIN b ON {on}")
        counts |= dict(zip(row.columns, row.fetchall()[0], strict=True))
    return {name: number for name, number in counts.items() if number}


@pytest.mark.parametrize("name", COMPARED)
def test_a_table_is_equal_on_embedded_and_spark(name: str, embedded_lakehouse: Path, spark_lakehouse: Path) -> None:
    assert differences(REGISTRY[name], embedded_lakehouse, spark_lakehouse) == {}
