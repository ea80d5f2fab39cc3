"""Training a model: its artifact, and its row of ops.models."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from typing import Any

from pyspark.sql import DataFrame

from lakehouse.build.inputs import Reader, arguments
from lakehouse.build.one_thread import multiply_on_one_thread
from lakehouse.build.task import Outcome, Task
from lakehouse.declare.model import Fitted
from lakehouse.declare.table import REGISTRY, Table
from lakehouse.storage import delta
from lakehouse.storage.artifacts import store

LEDGER_FIELDS = ("parameters", "splits", "metrics", "diagnostics")


def train(reader: Reader, declared: Table, task: Task, upstreams: Mapping[str, DataFrame], engine: str) -> Outcome:
    """Train the model and store its artifact under the task's id. Raises what the training raises."""
    if task.model_id is None:
        raise ValueError(f"{declared.name}: a model is trained under an id, and the task has none")
    began = time.perf_counter()
    multiply_on_one_thread()
    fitted: Fitted = declared.run(**arguments(reader, declared, task, upstreams, None), **task.parameters)
    folder = reader.lakehouse.path(declared) / task.model_id
    store(fitted, folder)
    seconds = time.perf_counter() - began
    rows = {name: delta.row_total(reader.lakehouse.path(REGISTRY[name])) for name in upstreams}
    row: dict[str, Any] = {
        **{name: _json(getattr(fitted, name)) for name in LEDGER_FIELDS},
        "model_id": task.model_id,
        "model": declared.short_name,
        "kind": declared.kind,
        "upstreams": _json(task.model_upstreams),
        "upstream_rows": _json(rows),
        "fingerprint": task.fingerprint,
        "engine": engine,
        "seconds": seconds,
        "path": str(folder.relative_to(reader.lakehouse.root)),
    }
    return Outcome(task.table, "built", seconds, engine=engine, model=row)


def _json(content: Any) -> str:
    return json.dumps(content, sort_keys=True, allow_nan=False)
