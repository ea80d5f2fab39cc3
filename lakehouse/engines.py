"""Where transforms run: Sail in this process, local Spark, or a Spark cluster that speaks Connect."""

from __future__ import annotations

import logging
import os
import re
import shutil
import socket
import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from lakehouse import delta
from lakehouse.delta import Publication
from lakehouse.settings import PROJECT_ROOT, Settings
from lakehouse.table import Table

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

MINIMUM_JAVA = 17
CONNECT_PORT = 15002
JARS = PROJECT_ROOT / ".jars"
JAVA_OPTIONS = "-XX:+UseSerialGC -XX:ReservedCodeCacheSize=256m"
# The engine's allocator gives memory back at once by default, and then asks for it again: 6% of the time of a run.
ALLOCATOR = "dirty_decay_ms:30000,muzzy_decay_ms:-1,oversize_threshold:0,thp:always"
# Larger batches: 5% less time with a thousand listeners. Filters while reading: a third less for new plays of ten of them.
EXECUTION = {"SAIL_EXECUTION__BATCH_SIZE": "32768", "SAIL_PARQUET__PUSHDOWN_FILTERS": "true"}
# The server would else zip every answer to its own process, with which answers take three times as long.
CHANNEL = [("grpc.compression_enabled_algorithms_bitset", 1)]
LOG4J = PROJECT_ROOT / "lakehouse" / "log4j2.properties"
CONFLICT = re.compile(r"Concurrent\w*Exception|DELTA_CONCURRENT|CommitFailed")


class EngineError(Exception):
    """An engine cannot start; the message says what to do."""


class Engine:
    """Starts its session on first use; `publish` makes staged Parquet visible in one Delta commit."""

    name = "engine"

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._session: SparkSession | None = None

    @property
    def is_started(self) -> bool:
        """Whether this process has a session."""
        return self._session is not None

    def session(self) -> SparkSession:
        """The one session of this process, started at the first call. Raises EngineError."""
        with self._lock:
            if self._session is None:
                self._session = self._start()
                self._session.conf.set("spark.sql.session.timeZone", "UTC")
            return self._session

    def _start(self) -> SparkSession:
        raise NotImplementedError

    def publish(self, path: Path, declared: Table, staged: Path, how: Publication) -> int:
        return delta.publish(path, declared, staged, **vars(how))

    def stop(self) -> None:
        with self._lock:
            if self._session is not None:
                self._session.stop()
                self._session = None


class EmbeddedEngine(Engine):
    """Sail, a Spark Connect server inside this process; delta-rs publishes what it computes."""

    name = "embedded"

    def __init__(self) -> None:
        super().__init__()
        self._server: Any = None

    def _start(self) -> SparkSession:
        os.environ.setdefault("RUST_LOG", "error")
        os.environ.setdefault("_RJEM_MALLOC_CONF", ALLOCATOR)
        for name, value in EXECUTION.items():
            os.environ.setdefault(name, value)
        try:
            from pysail.spark import SparkConnectServer
        except ImportError as error:
            raise EngineError(
                f"the embedded engine cannot be loaded ({error}); use --engine spark, or run `make setup`"
            ) from error
        # What SparkSession.builder.remote() sets; itself it lets nobody choose the channel's options.
        os.environ["SPARK_CONNECT_MODE_ENABLED"] = "1"
        from pyspark.sql.connect.client import DefaultChannelBuilder
        from pyspark.sql.connect.session import SparkSession as ConnectSession

        # Errors come back as exceptions and are reported once, by the run.
        logging.getLogger("pyspark.sql.connect").setLevel(logging.CRITICAL)
        self._server = SparkConnectServer(port=0)
        self._server.start(background=True)
        channel = DefaultChannelBuilder(f"sc://127.0.0.1:{self._server.listening_address[1]}", CHANNEL)
        session: Any = ConnectSession.builder.channelBuilder(channel).getOrCreate()
        # The server lives in this process: when it is gone (it hears Ctrl-C too), asking again for minutes finds no other.
        session.client.set_retry_policies([])
        session.release_session_on_close = False
        # Else every Column looks up the line that made it: half of what a plan takes in Python, and most of its size.
        session.conf.set("spark.python.sql.dataFrameDebugging.enabled", "false")
        started: SparkSession = session
        return started

    def stop(self) -> None:
        super().stop()
        if self._server is not None:
            self._server.stop()
            self._server = None


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
            delta.create(path, declared)
        elif not delta.same_schema(path, declared):
            # Spark's overwriteSchema would drop NOT NULL and comments.
            return delta.publish(path, declared, staged, **vars(how))
        rows = self.session().read.schema(delta.ddl(declared)).parquet(str(staged))
        writer = rows.write.format("delta").mode("append" if how.append else "overwrite").option("userMetadata", how.metadata)
        if how.predicate and not how.append:
            writer = writer.option("replaceWhere", how.predicate)
        for attempt in range(delta.COMMIT_ATTEMPTS):
            try:
                writer.save(str(path))
                break
            except Exception as error:
                if attempt == delta.COMMIT_ATTEMPTS - 1 or not CONFLICT.search(f"{type(error).__name__} {error}"):
                    raise
        published = delta.version(path)
        if published is None:
            raise EngineError(f"{path} vanished while it was written")
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


def java_command() -> str | None:
    """The Java launcher that Spark would use: JAVA_HOME's, else the PATH's."""
    home = os.environ.get("JAVA_HOME")
    if home and Path(home, "bin", "java").is_file():
        return str(Path(home, "bin", "java"))
    return shutil.which("java")


def java_problem() -> str | None:
    """Why local Spark cannot run here, with the remedy; None where it can."""
    command = java_command()
    if command is None:
        return "Java is not installed: install a JDK of version 17 or later (or set JAVA_HOME), then run `make setup`"
    answer = subprocess.run([command, "-version"], capture_output=True, text=True, check=False)  # noqa: S603
    found = re.search(r'version "(\d+)', answer.stderr)
    if found is None or int(found.group(1)) < MINIMUM_JAVA:
        return f"{command} is not Java {MINIMUM_JAVA} or later: install one, or set JAVA_HOME"
    if len(list(JARS.glob("delta-*.jar"))) != 2:
        return "the Delta jars are not there: run `make setup`"
    return None


def engine_for(settings: Settings) -> tuple[Engine, str]:
    """The engine that builds most tables of a run, and why it is this one."""
    if settings.engine.startswith("sc://"):
        return SparkEngine(settings.engine, settings.spark_memory), "asked for"
    if settings.engine == "spark":
        return SparkEngine(None, settings.spark_memory), "asked for"
    why = "asked for" if settings.engine == "embedded" else "auto: starts at once, needs no Java"
    return EmbeddedEngine(), why


def first_line(error: BaseException) -> str:
    """The first line of an error's message, at most 300 characters."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return (lines[0] if lines else type(error).__name__)[:300]
