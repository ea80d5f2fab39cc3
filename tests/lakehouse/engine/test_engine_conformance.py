"""What the embedded engine does that the code relies on or works around.

A test here that fails after an upgrade is news, good or bad: read the code that its name points to before changing it.
"""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pyarrow as pa
import pytest
from deltalake import DeltaTable, write_deltalake
from pyspark.errors import AnalysisException
from pyspark.sql import SparkSession
from pyspark.sql import functions as F


def one(spark: SparkSession, expression: str) -> object:
    return spark.sql(f"SELECT {expression} AS value").collect()[0]["value"]


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("xxhash64('Spark')", -4294468057691064905),
        ("xxhash64('Spark', array(123), 2)", 5602566077635097486),
        ("sha2('Spark', 256)", "529bc3b07127ecb7e53a4dcf1991d9152c24537d919178022b2c42657f79a26b"),
    ],
)
def test_hashes_are_those_that_spark_documents(spark: SparkSession, expression: str, value: object) -> None:
    assert one(spark, expression) == value


def test_the_hash_of_null_and_of_no_column_is_the_seed(spark: SparkSession) -> None:
    assert one(spark, "xxhash64(CAST(NULL AS STRING))") == 42


def test_weekday_of_a_sunday_is_wrong_and_dayofweek_is_right(spark: SparkSession) -> None:
    sunday = spark.createDataFrame([(dt.date(2024, 1, 7),)], "day date")
    row = sunday.select(F.weekday("day").alias("weekday"), F.dayofweek("day").alias("dayofweek")).collect()[0]
    assert row["weekday"] != 6
    assert row["dayofweek"] == 1


def test_try_divide_refuses_doubles(spark: SparkSession) -> None:
    frame = spark.createDataFrame([(1.0, 0.0)], "a double, b double")
    with pytest.raises(Exception, match=r"(?i)try_divide|coerc|type|argument"):
        frame.select(F.try_divide("a", "b")).collect()


def test_division_by_zero_and_a_bad_cast_are_errors_and_try_cast_is_null(spark: SparkSession) -> None:
    for expression in ("1 / 0", "CAST('x' AS INT)"):
        with pytest.raises(Exception, match=r"(?i)zero|cast|parse|convert"):
            one(spark, expression)
    assert one(spark, "TRY_CAST('x' AS INT)") is None


def test_no_rows_leave_no_parquet_file(spark: SparkSession, tmp_path: Path) -> None:
    spark.createDataFrame([], "a int").write.mode("overwrite").parquet(str(tmp_path / "empty"))
    assert not list((tmp_path / "empty").glob("*.parquet"))


def test_transform_hands_an_index_to_functions_of_two_parameters(spark: SparkSession) -> None:
    frame = spark.createDataFrame([(["a", "b"],)], "names array<string>")
    numbered = frame.select(F.transform("names", lambda name, index: F.concat(name, index.cast("string"))).alias("value"))
    assert numbered.collect()[0]["value"] == ["a0", "b1"]


def test_cache_keeps_nothing(spark: SparkSession, tmp_path: Path) -> None:
    write_deltalake(tmp_path / "t", pa.table({"v": [1]}))
    cached = spark.read.format("delta").load(str(tmp_path / "t")).cache()
    assert cached.count() == 1
    write_deltalake(tmp_path / "t", pa.table({"v": [2]}), mode="append")
    assert cached.count() == 2


def test_round_of_doubles_is_half_up(spark: SparkSession) -> None:
    assert [one(spark, f"round({value}D, 0)") for value in (0.5, 1.5, 2.5, -0.5)] == [1.0, 2.0, 3.0, -1.0]


def test_exact_percentiles_interpolate(spark: SparkSession) -> None:
    frame = spark.createDataFrame([(float(v),) for v in (1, 2, 3, 4)], "v double")
    row = frame.agg(F.percentile("v", 0.5).alias("mid"), F.percentile("v", 0.1).alias("low")).collect()[0]
    assert row["mid"] == 2.5
    assert row["low"] == pytest.approx(1.3)


def test_unicode_is_folded_and_nulls_come_first(spark: SparkSession) -> None:
    assert one(spark, "lower('ÄÖÉЖ')") == "äöéж"
    frame = spark.createDataFrame([("b",), (None,), ("a",)], "name string")
    assert [row[0] for row in frame.orderBy("name").collect()] == [None, "a", "b"]


def test_time_zones_follow_summer_time(spark: SparkSession) -> None:
    def local(moment: str) -> str:
        return str(one(spark, f"date_format(from_utc_timestamp(timestamp'{moment}', 'Europe/Berlin'), 'yyyy-MM-dd HH:mm')"))

    assert local("2024-03-31 00:59:00") == "2024-03-31 01:59"
    assert local("2024-03-31 01:00:00") == "2024-03-31 03:00"
    assert local("2024-10-27 01:00:00") == "2024-10-27 02:00"


def test_a_doubled_quote_in_a_sql_literal_vanishes_while_isin_takes_any_name(spark: SparkSession) -> None:
    frame = spark.createDataFrame([("O'Brien",), ("OBrien",)], "name string")
    assert [row[0] for row in frame.where("name IN ('O''Brien')").collect()] == ["OBrien"]
    assert [row[0] for row in frame.where(F.col("name").isin(["O'Brien"])).collect()] == ["O'Brien"]


def test_bitwise_halves_of_a_hash_are_those_of_python(spark: SparkSession) -> None:
    frame = spark.createDataFrame([(-4294468057691064905,)], "h bigint")
    low = F.col("h").bitwiseAND(F.lit(0xFFFFFFFF))
    [row] = frame.select(low.alias("low"), F.shiftright("h", 32).alias("high")).collect()
    assert (row["low"], row["high"]) == (-4294468057691064905 & 0xFFFFFFFF, -4294468057691064905 >> 32)


def test_earlier_versions_of_a_delta_table_are_read_as_they_were(spark: SparkSession, tmp_path: Path) -> None:
    for value in (1, 2):
        write_deltalake(tmp_path / "t", pa.table({"v": [value]}), mode="overwrite")
    read = [spark.read.format("delta").option("versionAsOf", v).load(str(tmp_path / "t")).collect()[0][0] for v in (0, 1)]
    assert read == [1, 2]


def test_a_version_before_the_last_checkpoint_cannot_be_read(spark: SparkSession, tmp_path: Path) -> None:
    """delta-rs writes a checkpoint with every hundredth commit; the kernel reads such versions by their files."""
    for value in range(5):
        write_deltalake(tmp_path / "t", pa.table({"v": [value]}), mode="overwrite")
    DeltaTable(tmp_path / "t").create_checkpoint()
    reader = spark.read.format("delta")
    assert reader.option("versionAsOf", 4).load(str(tmp_path / "t")).collect()[0][0] == 4
    with pytest.raises(AnalysisException, match="Missing commit file"):
        reader.option("versionAsOf", 3).load(str(tmp_path / "t")).collect()


def test_replace_where_lets_rows_outside_the_predicate_through(spark: SparkSession, tmp_path: Path) -> None:
    path = str(tmp_path / "t")
    write_deltalake(path, pa.table({"k": ["a", "b"], "v": [1, 2]}))
    wrong = spark.createDataFrame([("b", 9)], "k string, v bigint")
    wrong.write.format("delta").mode("overwrite").option("replaceWhere", "k = 'a'").save(path)
    assert sorted(DeltaTable(path).to_pyarrow_table()["v"].to_pylist()) == [2, 9]


def test_tables_it_writes_keep_the_oldest_reader_and_writer_versions(spark: SparkSession, tmp_path: Path) -> None:
    spark.createDataFrame([("a", dt.datetime(2024, 1, 1))], "k string, at timestamp").write.format("delta").save(
        str(tmp_path / "t")
    )
    protocol = DeltaTable(tmp_path / "t").protocol()
    assert (protocol.min_reader_version, protocol.min_writer_version) == (1, 2)


def test_statements_it_does_not_have_are_refused(spark: SparkSession, tmp_path: Path) -> None:
    write_deltalake(tmp_path / "t", pa.table({"v": [1]}))
    for statement in (f"DESCRIBE HISTORY delta.`{tmp_path}/t`", f"OPTIMIZE delta.`{tmp_path}/t`"):
        with pytest.raises(Exception, match=r"(?i)not|expected|unsupported|found"):
            spark.sql(statement).collect()


def test_min_by_a_struct_and_null_safe_equality_work(spark: SparkSession) -> None:
    frame = spark.createDataFrame([("late", 2, "b"), ("early", 1, "b"), ("first", 1, "a")], "name string, at int, id string")
    assert frame.agg(F.min_by("name", F.struct("at", "id"))).collect()[0][0] == "first"
    assert one(spark, "NULL <=> NULL") is True
