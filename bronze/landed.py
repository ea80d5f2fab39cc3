"""The columns every bronze table of landing files begins and ends with."""

from __future__ import annotations

from lakehouse.table import column

ORIGIN = (
    column("file_hash", "string", "SHA-256 of the file's content"),
    column("row_number", "bigint", "position of the row in its file, from 1"),
    column(
        "file_name",
        "string",
        "where the file was found in the landing folder; zip!member for members of an archive",
        nullable=False,
    ),
    column("source", "string", "format of the file", nullable=False),
)
BATCH = (
    column("_batch_id", "string", "the run that brought the row", nullable=False),
    column("_ingested_at", "timestamp", "start of that run, UTC", nullable=False),
)
