"""Where transforms run: Sail in this process, local Spark, or a Spark cluster that speaks Connect."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import TYPE_CHECKING

from lakehouse.declare.table import Table
from lakehouse.storage import publishing
from lakehouse.storage.publishing import Publication

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


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
        return publishing.publish(path, declared, staged, **vars(how))

    def stop(self) -> None:
        with self._lock:
            if self._session is not None:
                self._session.stop()
                self._session = None


def first_line(error: BaseException) -> str:
    """The first line of an error's message, at most 300 characters."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return (lines[0] if lines else type(error).__name__)[:300]
