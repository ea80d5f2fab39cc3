"""Which engine builds the tables of a run."""

from __future__ import annotations

from lakehouse.engine.base import Engine
from lakehouse.engine.embedded import EmbeddedEngine
from lakehouse.engine.spark import SparkEngine
from lakehouse.settings import Settings


def engine_for(settings: Settings) -> tuple[Engine, str]:
    """The engine that builds most tables of a run, and why it is this one."""
    if settings.engine.startswith("sc://"):
        return SparkEngine(settings.engine, settings.spark_memory), "requested"
    if settings.engine == "spark":
        return SparkEngine(None, settings.spark_memory), "requested"
    why = "requested" if settings.engine == "embedded" else "auto: starts immediately, needs no Java"
    return EmbeddedEngine(), why
