"""The folder of a lakehouse: where each table, each model and each run's staging lies, and which version wrote it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from lakehouse.declare.table import LAYERS, Table
from lakehouse.storage import delta

# Raised when an older version of this project could no longer read what this one writes.
FORMAT = 1
MARKER = "_lakehouse.json"
STAGING = "_staging"
RESTORING = "_restoring.json"
"""In a folder that a restore is writing to: until it is gone, not everything is there."""


class NewerLakehouseError(Exception):
    """The lakehouse was written by a newer version of this project; the message says so and what to do."""


class UnfinishedRestoreError(Exception):
    """The lakehouse is not whole, as a restore was broken off or is going on; the message says what to do."""


@dataclass(frozen=True)
class Lakehouse:
    """A lakehouse at `root`: root/LAYER/TABLE are Delta tables, root/models/NAME/ID are trained models."""

    root: Path

    def path(self, declared: Table) -> Path:
        """The folder of a table; of a model, the folder that holds one folder per trained version."""
        return self.root / declared.layer / declared.short_name

    def version(self, declared: Table) -> int | None:
        """The table's newest Delta version; None where it was never built."""
        return delta.version(self.path(declared))

    def row_total(self, declared: Table) -> int:
        """The rows of a built table, from its log alone."""
        return delta.row_total(self.path(declared))

    def staging(self, run_id: str) -> Path:
        """The folder for what a run computes before it is published; removed at the end of the run."""
        return self.root / STAGING / run_id

    def exists(self) -> bool:
        """Whether the folder holds a lakehouse, also one from before there was a marker."""
        return (self.root / MARKER).is_file() or any(next(self.root.glob(f"{layer}/*/_delta_log"), None) for layer in LAYERS)

    def check_format(self) -> None:
        """Raises NewerLakehouseError where a newer version of this project wrote the lakehouse, and UnfinishedRestoreError."""
        if (self.root / RESTORING).exists():
            raise UnfinishedRestoreError(
                f"{self.root} is not restored yet: wait for `lakehouse restore`, or run it again if it was broken off"
            )
        try:
            written = int(json.loads((self.root / MARKER).read_text("utf-8"))["format"])
        except FileNotFoundError:
            return
        except (ValueError, KeyError, TypeError) as error:
            raise NewerLakehouseError(f"{self.root / MARKER} cannot be read: restore it, or remove it and run again") from error
        if written > FORMAT:
            raise NewerLakehouseError(
                f"{self.root} was written by a newer version of this project (format {written}; this one reads {FORMAT}):"
                " update the project, or choose another --lakehouse"
            )

    def mark_format(self) -> None:
        """Note that this version writes here; nothing happens where that is noted already."""
        marker = self.root / MARKER
        content = json.dumps({"format": FORMAT})
        if not marker.is_file() or marker.read_text("utf-8") != content:
            part = marker.with_suffix(".part")
            part.write_text(content, "utf-8")
            part.replace(marker)
