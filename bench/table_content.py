"""What the tables of a lakehouse hold, without what names a run, and whether two tables hold the same."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from deltalake import DeltaTable

RELATIVE, ABSOLUTE = 1e-9, 1e-12
ORDER_DIGITS = 6
MODEL_ID = "model_id"
CLOCKS = ("generated_at", "trained_at")

Content = Any
"""A `pyarrow.Table`."""


def contents(lakehouse: Path, layers: Sequence[str]) -> dict[str, Content]:
    """The comparable content of each table of some layers, by full name."""
    logs = [log for layer in layers for log in sorted((lakehouse / layer).glob("*/_delta_log"))]
    return {f"{log.parent.parent.name}.{log.parent.name}": content_of(DeltaTable(log.parent).to_pyarrow_table()) for log in logs}


def content_of(rows: pa.Table) -> Content:
    """The rows less lineage and clock, models by their names, in an order that depends on the exact columns first."""
    kept = rows.select([name for name in rows.column_names if not name.startswith("_") and name not in CLOCKS])
    if MODEL_ID in kept.column_names:
        # An id is the model's name and a hash: both are joined by the last hyphen.
        named = pc.replace_substring_regex(kept[MODEL_ID], "-[0-9a-f]+$", "")
        kept = kept.set_column(kept.column_names.index(MODEL_ID), MODEL_ID, named)
    order = _order_columns(kept)
    return kept.take(pc.sort_indices(order, sort_keys=[(name, "ascending") for name in order.column_names]))


def _order_columns(rows: pa.Table) -> pa.Table:
    """What to sort by: the exact columns, lists as text, then the doubles rounded, as they may differ in their last digits."""
    exact, rounded = {}, {}
    for name, column in zip(rows.column_names, rows.columns, strict=True):
        if pa.types.is_floating(column.type):
            rounded[name] = pc.round(column, ORDER_DIGITS)
        elif not pa.types.is_nested(column.type):
            exact[name] = column
        elif not _holds_doubles(column.type):
            exact[name] = pa.array([repr(value) for value in column.to_pylist()], pa.string())
    return pa.table({**exact, **rounded})


def _holds_doubles(kind: pa.DataType) -> bool:
    return bool(pa.types.is_floating(kind) or any(_holds_doubles(kind.field(i).type) for i in range(kind.num_fields)))


def difference(one: Content | None, other: Content | None) -> str | None:
    """How two contents differ, in words; None where they are equal."""
    if one is None or other is None:
        return None if one is other else "the table is missing"
    if one.schema.names != other.schema.names:
        return "the columns differ"
    if one.num_rows != other.num_rows:
        return f"{one.num_rows} and {other.num_rows} rows"
    found = []
    for name in one.column_names:
        rows = _differing_rows(one[name].combine_chunks(), other[name].combine_chunks())
        if rows.any():
            first = int(np.flatnonzero(rows)[0])
            values = f"{_short(one[name][first])} and {_short(other[name][first])}"
            found.append(f"{name} in {int(rows.sum())} rows (row {first}: {values})")
    return "; ".join(found) or None


def _short(value: pa.Scalar) -> str:
    return repr(value.as_py())[:200]


def _differing_rows(one: pa.Array, other: pa.Array) -> np.ndarray:
    """Which rows differ: doubles by more than the tolerance, also within lists; everything else at all."""
    if pa.types.is_list(one.type) and pa.types.is_floating(one.type.value_type):
        return _differing_lists(one, other)
    if pa.types.is_floating(one.type):
        return ~np.isclose(_floats(one), _floats(other), rtol=RELATIVE, atol=ABSOLUTE, equal_nan=True)
    if pa.types.is_nested(one.type):
        return np.array([a != b for a, b in zip(one.to_pylist(), other.to_pylist(), strict=True)], dtype=bool)
    equal = pc.or_(pc.fill_null(pc.equal(one, other), False), pc.and_(pc.is_null(one), pc.is_null(other)))
    return np.asarray(~equal.to_numpy(zero_copy_only=False).astype(bool))


def _differing_lists(one: pa.Array, other: pa.Array) -> np.ndarray:
    lengths = [pc.fill_null(pc.list_value_length(lists), -1).to_numpy(zero_copy_only=False) for lists in (one, other)]
    differ = lengths[0] != lengths[1]
    if not differ.any():
        values = _differing_rows(one.flatten(), other.flatten())
        np.logical_or.at(differ, pc.list_parent_indices(one).to_numpy(zero_copy_only=False), values)
    return np.asarray(differ)


def _floats(column: pa.Array) -> np.ndarray:
    """Doubles with null as NaN; the tables hold no NaN of their own."""
    return np.asarray(column.to_numpy(zero_copy_only=False), dtype=np.float64)
