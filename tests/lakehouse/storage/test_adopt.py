"""Files that an engine wrote become the table's as they are: every declared type, read back by every reader, or not at all."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pyarrow.dataset as ds
import pytest
from deltalake import DeltaTable
from deltalake.exceptions import DeltaError
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from lakehouse.declare import REGISTRY, TYPES, Table, column, table
from lakehouse.declare.table import enforce
from lakehouse.storage import delta, publishing
from tests.lakehouse.small_graph import declared

VALUES = {
    "string": "'a'",
    "int": "1",
    "bigint": "2",
    "double": "0.5",
    "boolean": "true",
    "date": "DATE'2024-01-01'",
    "timestamp": "TIMESTAMP'2024-01-01 10:00:00'",
    "array<string>": "array('x', 'y')",
    "array<double>": "array(0.5d, -2.25d)",
}


def name_of(kind: str, *, required: bool) -> str:
    return kind.replace("<string>", "").replace("array<double>", "vector") + ("_required" if required else "")


@pytest.fixture
def wide() -> Iterator[Table]:
    """A table with every type a declaration can have, nullable and not."""
    columns = [column(name_of(k, required=r), k, k, nullable=not r) for k in TYPES for r in (False, True)]

    def wide() -> None:
        """One row per id."""

    with declared():
        table("gold.wide", key=["id"], scope="whole", schema=[column("id", "string", "id"), *columns])(wide)
        yield REGISTRY["gold.wide"]


def write(spark: SparkSession, wide: Table, staged: Path, ids: list[str], **changes: str) -> None:
    """Rows as the kernel stages them; `changes` are other SQL values by column."""
    values = {name_of(k, required=r): v for k, v in VALUES.items() for r in (False, True)} | changes
    rows = spark.range(1).select(F.explode(F.array(*[F.lit(i) for i in ids])).alias("id"))
    rows = rows.select("id", *[F.expr(value).alias(name) for name, value in values.items()])
    lineage = {"_run_id": F.lit("r"), "_built_at": F.current_timestamp()}
    enforce(wide, rows).withColumns(lineage).write.mode("overwrite").option("compression", "snappy").parquet(str(staged))


def publish(tmp_path: Path, wide: Table, **options: bool) -> int:
    return publishing.publish(tmp_path / "table", wide, tmp_path / "staged", None, "{}", **options)  # type: ignore[arg-type]


def test_every_type_is_read_back_by_engine_and_arrow(spark: SparkSession, tmp_path: Path, wide: Table) -> None:
    write(spark, wide, tmp_path / "staged", ["one"], array="null")
    publish(tmp_path, wide)
    assert not list((tmp_path / "staged").glob("*.parquet")), "the file itself is the table's"
    write(spark, wide, tmp_path / "staged", ["two"])
    publish(tmp_path, wide, append=True)
    by_engine = spark.read.format("delta").load(str(tmp_path / "table")).orderBy("id").toArrow().to_pylist()
    by_arrow = DeltaTable(tmp_path / "table").to_pyarrow_dataset().to_table().sort_by("id").to_pylist()
    assert by_engine == by_arrow
    assert [row["id"] for row in by_engine] == ["one", "two"]
    assert (by_engine[0]["array"], by_engine[0]["array_required"], by_engine[1]["array"]) == (None, ["x", "y"], ["x", "y"])


def test_rows_of_adopted_files_are_found_by_any_column(spark: SparkSession, tmp_path: Path, wide: Table) -> None:
    """With bounds of some columns in the log, delta-rs's dataset finds nothing by the others."""
    write(spark, wide, tmp_path / "staged", ["one"], string="repeat('5', 64)")
    publish(tmp_path, wide)
    dataset = DeltaTable(tmp_path / "table").to_pyarrow_dataset()
    for name, value in (("string", "5" * 64), ("id", "one"), ("int", 1)):
        assert dataset.to_table(filter=ds.field(name).isin([value])).num_rows == 1
    assert delta.row_total(tmp_path / "table") == 1


def test_a_null_where_none_may_be_is_refused_and_the_files_stay_staged(spark: SparkSession, tmp_path: Path, wide: Table) -> None:
    write(spark, wide, tmp_path / "staged", ["one"])
    publish(tmp_path, wide)
    write(spark, wide, tmp_path / "staged", ["two"], int_required="null")
    with pytest.raises(DeltaError, match="int_required is NOT NULL"):
        publish(tmp_path, wide)
    assert DeltaTable(tmp_path / "table").to_pyarrow_table().column("id").to_pylist() == ["one"]
    assert list((tmp_path / "staged").glob("*.parquet"))


def test_replacing_all_rows_takes_the_files_and_replacing_some_rewrites(spark: SparkSession, tmp_path: Path, wide: Table) -> None:
    path = tmp_path / "table"
    for ids, replaced in ((["one", "two"], None), (["one", "two"], 2), (["one"], 1)):
        write(spark, wide, tmp_path / "staged", ids)
        predicate = delta.quoted_in("id", ids) if replaced else None
        publishing.publish(path, wide, tmp_path / "staged", predicate, "{}", replaced_rows=replaced)
        is_adopted = not list((tmp_path / "staged").glob("*.parquet"))
        assert is_adopted == (ids == ["one", "two"])
        assert sorted(DeltaTable(path).to_pyarrow_table().column("id").to_pylist()) == ["one", "two"]
