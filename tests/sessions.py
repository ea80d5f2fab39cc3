"""Running the pipeline inside the test process, beside the session that the other tests share."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from pyspark.sql.connect.session import SparkSession


@contextmanager
def room_for_another_engine() -> Iterator[None]:
    """Hide the session of this process: else a run would be handed it, and would stop it at its end."""
    default, active = SparkSession._default_session, getattr(SparkSession._active_session, "session", None)
    SparkSession._default_session = None
    SparkSession._active_session.session = None
    try:
        yield
    finally:
        SparkSession._default_session = default
        SparkSession._active_session.session = active
