"""The order of rows within many small groups."""

from __future__ import annotations

from collections.abc import Sequence

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F


def in_small_groups(
    rows: DataFrame, within: Sequence[str], order: Sequence[Column], kept: Sequence[str], most: int | None = None
) -> DataFrame:
    """Columns `within`, `kept` and `place` (from 1) of the `most` first rows (of all, without it) of each group, ascending.

    A sorted list a group, not row_number over windows: the embedded engine cuts each window out of all columns, which takes it up
    to four times as long where windows are of a few rows. Groups have to fit into memory. `order` is of columns of these two
    kinds, without nulls, and decides.
    """
    names = [f"_order_{number}" for number in range(len(order))]
    keys = [column.alias(name) for name, column in zip(names, order, strict=True)]
    # Leaves the comments of columns behind: the embedded engine refuses to group a union whose sides differ in them.
    rows = rows.select(*[F.coalesce(name, name).alias(name) for name in dict.fromkeys((*within, *kept))])
    lists = rows.groupBy(*within).agg(F.sort_array(F.collect_list(F.struct(*keys, *kept))).alias("rows"))
    first = F.col("rows") if most is None else F.slice("rows", 1, most)
    placed = lists.select(*within, F.posexplode(first).alias("at", "row"))
    return placed.select(*within, "row.*", (F.col("at") + F.lit(1)).alias("place")).drop(*names)
