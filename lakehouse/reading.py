"""Reading tables for people: as Arrow datasets over the local file system."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow.dataset as ds
from deltalake import DeltaTable
from pyarrow.fs import LocalFileSystem, SubTreeFileSystem

from lakehouse import delta


def dataset(path: Path) -> ds.Dataset:
    """The newest version of the Delta table at `path`. Raises TableNotFoundError.

    Arrow reads the files itself: delta-rs' own file system is Python code, which Arrow's threads may still call while the
    interpreter ends, and that aborts the process (apache/arrow#34314).
    """
    files = SubTreeFileSystem(str(path), LocalFileSystem())
    return DeltaTable(path).to_pyarrow_dataset(filesystem=files)


def rows(path: Path, columns: list[str], where: ds.Expression | None = None) -> list[dict[str, Any]]:
    """All rows of a small table as dictionaries; none where there is no table."""
    if delta.version(path) is None:
        return []
    found: list[dict[str, Any]] = dataset(path).to_table(columns=columns, filter=where).to_pylist()
    return found
