"""Removing rows of a table beside its builds."""

from __future__ import annotations

from pathlib import Path

from deltalake import CommitProperties, write_deltalake

from lakehouse.storage import delta


def remove_rows(path: Path, predicate: str, properties: CommitProperties | None = None) -> None:
    """Remove the rows of the table at `path` that a SQL predicate holds for, in one commit. Raises DeltaError.

    By a replacement with nothing: what DeltaTable.delete of deltalake 1.6.6 writes has strings of a type by which Arrow cannot
    filter.
    """
    nothing = delta.uncommented(delta.dataset(path).schema).empty_table()
    write_deltalake(path, nothing, mode="overwrite", predicate=predicate, commit_properties=properties)
