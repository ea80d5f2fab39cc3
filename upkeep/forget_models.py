"""Models that learned from listeners: which they are, and removing them, so that the next run trains them again."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path

from lakehouse.declare import Table
from lakehouse.plan.model_ids import ancestors
from lakehouse.storage import delta
from lakehouse.storage.ledger import MODELS
from upkeep.forget_files import OF_LISTENERS
from upkeep.forget_tables import delete_rows


def models_of_listeners(tables: Mapping[str, Table]) -> set[str]:
    """The short names of all models that descend from rows of listeners, also by way of another model."""
    sources = {f"bronze.{name}" for name in OF_LISTENERS}
    models = {name: ancestors(name, tables) for name, declared in tables.items() if declared.is_model}
    learned = {name for name, above in models.items() if above & sources}
    while more := {name for name, above in models.items() if above & learned} - learned:
        learned |= more
    return {tables[name].short_name for name in learned}


def stored_models(lakehouse: Path, tables: Mapping[str, Table]) -> list[Path]:
    """The folders of all versions of these models, and of models that no code declares any more: nobody knows what those saw."""
    kept = {declared.short_name for declared in tables.values() if declared.is_model} - models_of_listeners(tables)
    root = lakehouse / "models"
    names = [path for path in sorted(root.iterdir()) if path.is_dir() and path.name not in kept] if root.is_dir() else []
    return [version for name in names for version in sorted(name.iterdir())]


def remove_models(lakehouse: Path, tables: Mapping[str, Table]) -> list[str]:
    """Remove artifacts and their rows of ops.models; returns the ids."""
    folders = stored_models(lakehouse, tables)
    for folder in folders:
        shutil.rmtree(folder) if folder.is_dir() else folder.unlink()
    kept = {declared.short_name for declared in tables.values() if declared.is_model} - models_of_listeners(tables)
    path = lakehouse / MODELS.layer / MODELS.short_name
    gone = {row["model"] for row in delta.read_rows(path, ["model"])} - kept
    if gone:
        delete_rows(path, {"model": sorted(gone)})
    return [folder.name for folder in folders]
