"""Whether two lakehouses hold the same: every silver and gold table, row by row by its key.

Lineage (columns that begin with `_`) and clocks (IGNORED) are left out; doubles agree to 1e-9 relative or 1e-12 absolute, all
else exactly. Of models only those in use are compared, matched by name: ids name code and data, so another commit gives others.

`python -m tests.equality A B` prints one line per table; exit code 1 if any differs.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import duckdb
from deltalake import DeltaTable

from lakehouse.declare import REGISTRY, Table
from lakehouse.plan import graph

IGNORED = ("generated_at", "trained_at")
# How a column of an older lakehouse reads today. `split` named the population behind the data scored ("test_synthetic",
# "test, temporal, novel only, real") until the population became part of the key, as a column of its own.
MAPPED = {("gold.model_performance_metrics", "split"): "regexp_replace(split, '(_|, )(real|synthetic)$', '')"}


def equality(left: Path, right: Path, *, layers: tuple[str, ...] = ("silver", "gold")) -> dict[str, dict[str, int]]:
    """Per table of the layers that differs, the number of differing rows per column, as `differences` gives them.

    A table that is built in one lakehouse only differs in {"built only in a": 1}; one that neither has is equal.
    """
    graph.load()
    found = {}
    for name, declared in sorted(REGISTRY.items()):
        if declared.layer not in layers:
            continue
        built = [DeltaTable.is_deltatable(str(root / declared.layer / declared.short_name)) for root in (left, right)]
        if built[0] != built[1]:
            found[name] = {f"built only in {'a' if built[0] else 'b'}": 1}
        elif all(built) and (differing := differences(declared, left, right, models_by_name=True)):
            found[name] = differing
    return found


def differences(declared: Table, left: Path, right: Path, where: str = "true", *, models_by_name: bool = False) -> dict[str, int]:
    """Per column (and for whole rows) how many rows of the two lakehouses differ, of those that `where` holds for.

    `models_by_name` compares the rows of models in use, by the models' names, for lakehouses whose models have other ids.
    """
    connection = duckdb.connect()
    for view, root in (("a", left), ("b", right)):
        _register(connection, view, declared, root, where, models_by_name=models_by_name)
    on = " AND ".join(f'a."{key}" IS NOT DISTINCT FROM b."{key}"' for key in declared.key)
    counts = {}
    for side, other in (("a", "b"), ("b", "a")):
        counts[f"rows only in {side}"] = _number(connection, f"SELECT count(*) FROM {side} ANTI JOIN {other} ON {on}")
        keys = ", ".join(f'"{key}"' for key in declared.key)
        counts[f"keys twice in {side}"] = _number(
            connection, f"SELECT count(*) FROM (SELECT {keys} FROM {side} GROUP BY ALL HAVING count(*) > 1)"
        )
    columns = {side: set(connection.sql(f"FROM {side} LIMIT 0").columns) for side in ("a", "b")}
    judged = []
    for column in declared.columns:
        if column.name.startswith("_") or column.name in (*declared.key, *IGNORED):
            continue
        if column.name in columns["a"] & columns["b"]:
            judged.append(f'count(*) FILTER ({_differs(column.name, column.type)}) AS "{column.name}"')
        elif lacking := {side for side, names in columns.items() if column.name not in names}:
            counts |= {f"no column {column.name} in {side}": 1 for side in sorted(lacking)}
    if judged:
        row = connection.sql(f"SELECT {', '.join(judged)} FROM a JOIN b ON {on}")
        counts |= dict(zip(row.columns, row.fetchall()[0], strict=True))
    return {name: number for name, number in counts.items() if number}


def _register(
    connection: duckdb.DuckDBPyConnection, view: str, declared: Table, root: Path, where: str, *, models_by_name: bool
) -> None:
    """The table's rows as the view, mapped to how they read today."""
    rows = DeltaTable(root / declared.layer / declared.short_name).to_pyarrow_table()
    connection.register(f"all_{view}", rows)
    replaced = {column: sql for (name, column), sql in MAPPED.items() if name == declared.name}
    source = f"all_{view}"
    if models_by_name and "model_id" in rows.column_names:
        connection.register(f"models_{view}", DeltaTable(root / "ops" / "models").to_pyarrow_table())
        source = f"(FROM {source} JOIN (SELECT model_id AS id, model FROM models_{view} WHERE is_current) ON model_id = id)"
        replaced["model_id"] = "model"
    kept = [f'"{name}"' for name in rows.column_names if name not in replaced]
    shown = ", ".join([*kept, *(f'{sql} AS "{column}"' for column, sql in replaced.items())])
    connection.sql(f"CREATE VIEW {view} AS SELECT * FROM (SELECT {shown} FROM {source}) WHERE {where}")


def _differs(name: str, type: str) -> str:
    x, y = f'a."{name}"', f'b."{name}"'
    differs = f"{x} IS DISTINCT FROM {y}"
    if type == "double":
        differs += f" AND NOT coalesce(abs({x} - {y}) <= 1e-9 * greatest(abs({x}), abs({y})) + 1e-12, false)"
    if type == "array<double>":
        apart = f"list_max(list_transform(list_zip({x}, {y}), lambda pair: abs(pair[1] - pair[2])))"
        differs += f" AND NOT coalesce(len({x}) = len({y}) AND {apart} <= 1e-9, false)"
    return differs


def _number(connection: duckdb.DuckDBPyConnection, query: str) -> int:
    return int(connection.sql(query).fetchall()[0][0])


def main() -> int:
    """Compare the two lakehouses of the command line. Exit code 0 equal, 1 different."""
    parser = argparse.ArgumentParser(prog="python -m tests.equality", description="compare two lakehouses table by table")
    parser.add_argument("a", type=Path)
    parser.add_argument("b", type=Path)
    options = parser.parse_args()
    found = equality(options.a, options.b)
    names = sorted(name for name, declared in REGISTRY.items() if declared.layer in ("silver", "gold"))
    for name in names:
        parts = ", ".join(f"{what}: {number}" for what, number in found.get(name, {}).items())
        print(f"{name}: {parts or 'equal'}")  # noqa: T201
    print(f"{len(names) - len(found)} of {len(names)} tables equal")  # noqa: T201
    return int(bool(found))


if __name__ == "__main__":
    raise SystemExit(main())
