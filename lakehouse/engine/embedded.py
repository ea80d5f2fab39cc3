"""The embedded engine: Sail, a Spark Connect server inside this process."""

from __future__ import annotations

import logging
import os
from typing import TYPE_CHECKING, Any

from lakehouse.engine.base import Engine, EngineError

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

# The engine's allocator gives memory back at once by default, and then asks for it again: 6% of the time of a run.
ALLOCATOR = "dirty_decay_ms:30000,muzzy_decay_ms:-1,oversize_threshold:0,thp:always"
# Larger batches: 5% less time with a thousand listeners. Filters while reading: a third less for new plays of ten of them.
EXECUTION = {"SAIL_EXECUTION__BATCH_SIZE": "32768", "SAIL_PARQUET__PUSHDOWN_FILTERS": "true"}
# The server would else zip every answer to its own process, with which answers take three times as long.
CHANNEL = [("grpc.compression_enabled_algorithms_bitset", 1)]


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
