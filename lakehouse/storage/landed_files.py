"""What is remembered of the landing folder, file by file."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from typing import Any


@dataclass(frozen=True)
class LandedFile:
    """One row of ops.ingestion_state: a content at a path of the landing folder."""

    file_hash: str
    path: str
    """where it lies; for a member of an archive zip!member"""
    container: str
    """the file of the landing folder: itself, or its archive"""
    member: str | None
    container_bytes: int
    container_modified_ns: int
    listener: str
    source: str | None
    target: str | None
    status: str
    """new (to be read), waiting (its table was not selected), ingested, duplicate, ignored, unknown or broken"""
    reason: str | None
    rows: int | None
    parser: str | None
    is_present: bool
    first_run_id: str
    run_id: str
    forgotten: int | None = None
    """rows that were left out, as they belong to listeners who are forgotten; None where there were none"""


def to_row(file: LandedFile) -> dict[str, Any]:
    """The file as a row of ops.ingestion_state."""
    return asdict(file)


def from_row(row: dict[str, Any]) -> LandedFile:
    """A row of ops.ingestion_state as a file."""
    # A table of an older version has fewer columns.
    values: dict[str, Any] = {field.name: row.get(field.name) for field in fields(LandedFile)}
    return LandedFile(**values)
