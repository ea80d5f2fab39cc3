"""Trained models as folders: named by an id, written whole or not at all, never written again."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from lakehouse.declare.model import PARAMETERS, Fitted


def is_stored(folder: Path) -> bool:
    """Whether the artifact is there, as far as its smallest part tells."""
    return (folder / PARAMETERS).is_file()


def store(fitted: Fitted, folder: Path) -> None:
    """Write an artifact: whole or not at all. An artifact of the same id that is there already is left as it is."""
    if is_stored(folder):
        return
    shutil.rmtree(folder, ignore_errors=True)
    part = folder.with_name(f"{folder.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    (part / PARAMETERS).write_text(json.dumps(dict(fitted.parameters), sort_keys=True), "utf-8")
    for name, frame in fitted.frames.items():
        path = part / f"{name}.parquet"
        if isinstance(frame, pa.Table):
            path.mkdir()
            pq.write_table(frame, path / "part-0.parquet")
        else:
            frame.write.parquet(str(path))
    if fitted.estimators:
        import skops.io

        for name, estimator in fitted.estimators.items():
            skops.io.dump(estimator, part / f"{name}.skops")
    part.replace(folder)
