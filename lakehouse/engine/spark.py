"""Spark: `local[*]` in a JVM beside this process, or a cluster that speaks Connect."""

from __future__ import annotations

import logging
import os
import re
import socket
import sys
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from lakehouse.declare.table import Table
from lakehouse.engine.base import Engine, EngineError, first_line
from lakehouse.engine.java import JARS, java_problem
from lakehouse.private_files import FOR_OTHERS
from lakehouse.storage import delta, publishing
from lakehouse.storage.publishing import Publication

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

CONNECT_PORT = 15002
JAVA_OPTIONS = "-XX:+UseSerialGC -XX:ReservedCodeCacheSize=256m"
LOG4J = Path(__file__).resolve().parent / "log4j2.properties"
CONFLICT = re.compile(r"Concurrent\w*Exception|DELTA_CONCURRENT|CommitFailed")


class SparkEngine(Engine):
    """Spark 4 with Delta: `local[*]` in a JVM beside this process, or a cluster at an `sc://` address."""

    def __init__(self, remote: str | None, memory: str) -> None:
        super().__init__()
        self.remote, self.memory = remote, memory
        self.name = remote or "spark"

    def _start(self) -> SparkSession:
        from pyspark.sql import SparkSession

        logging.getLogger("pyspark.sql.connect").setLevel(logging.CRITICAL)
        if self.remote:
            check_reachable(self.remote)
            try:
                return SparkSession.builder.remote(self.remote).getOrCreate()
            except Exception as error:
                raise EngineError(f"no Spark Connect server answers at {self.remote}: {first_line(error)}") from error
        if (problem := java_problem()) is not None:
            raise EngineError(problem)
        # A parent with a Connect session leaves these behind, and they would turn this session into one too.
        for name in ("SPARK_CONNECT_MODE_ENABLED", "SPARK_REMOTE", "SPARK_LOCAL_REMOTE"):
            os.environ.pop(name, None)
        # Python workers need what this environment has, scikit-learn above all; by default they are the PATH's python3.
        os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
        builder = SparkSession.builder.master("local[*]").appName("listening-lakehouse")
        for key, value in local_configuration(self.memory).items():
            builder = builder.config(key, value)
        return builder.getOrCreate()

    def publish(self, path: Path, declared: Table, staged: Path, how: Publication) -> int:
        # On local files delta-rs makes the same commit in a tenth of the time; a cluster's storage only Spark surely reaches.
        if self.remote is None:
            return super().publish(path, declared, staged, how)
        if delta.version(path) is None:
            publishing.create(path, declared)
        elif not delta.same_schema(path, declared):
            # Spark's overwriteSchema would drop NOT NULL and comments.
            return publishing.publish(path, declared, staged, **vars(how))
        rows = self.session().read.schema(delta.ddl(declared)).parquet(str(staged))
        writer = rows.write.format("delta").mode("append" if how.append else "overwrite").option("userMetadata", how.metadata)
        if how.predicate and not how.append:
            writer = writer.option("replaceWhere", how.predicate)
        for attempt in range(publishing.COMMIT_ATTEMPTS):
            try:
                writer.save(str(path))
                break
            except Exception as error:
                if attempt == publishing.COMMIT_ATTEMPTS - 1 or not CONFLICT.search(f"{type(error).__name__} {error}"):
                    raise
        published = delta.version(path)
        if published is None:
            raise EngineError(f"{path} disappeared while it was being written")
        return published


def check_reachable(remote: str) -> None:
    """Raises EngineError unless something listens at the address of an `sc://` URL; Connect itself would retry for minutes."""
    address = urlsplit(remote)
    try:
        socket.create_connection((address.hostname or "", address.port or CONNECT_PORT), timeout=5).close()
    except (OSError, ValueError) as error:
        raise EngineError(f"no Spark Connect server answers at {remote}: {first_line(error)}") from error


def local_configuration(memory: str) -> dict[str, str]:
    """Settings of a small local Spark; what each does for speed was measured, see docs/decisions."""
    jars = ",".join(str(jar) for jar in sorted(JARS.glob("*.jar")))
    return {
        "spark.jars": jars,
        "spark.driver.memory": memory,
        "spark.driver.extraJavaOptions": f"-Dlog4j2.configurationFile={LOG4J.as_uri()} {JAVA_OPTIONS}",
        "spark.driver.host": "127.0.0.1",
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.sql.extensions": "io.delta.sql.DeltaSparkSessionExtension",
        "spark.sql.catalog.spark_catalog": "org.apache.spark.sql.delta.catalog.DeltaCatalog",
        # Hadoop sets modes itself, whatever the process may create.
        "spark.hadoop.fs.permissions.umask-mode": f"{FOR_OTHERS:03o}",
        "spark.databricks.delta.snapshotPartitions": "1",
        "spark.sql.shuffle.partitions": "4",
        # Tables here are small: planning again after every stage costs more than it finds.
        "spark.sql.adaptive.enabled": "false",
        # The JVM leaves longer methods to its interpreter, or, told to compile them, takes 2 GB more memory for it.
        "spark.sql.codegen.hugeMethodLimit": "8000",
        "spark.sql.session.timeZone": "UTC",
        "spark.sql.parquet.outputTimestampType": "TIMESTAMP_MICROS",
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
        "spark.scheduler.mode": "FAIR",
    }
