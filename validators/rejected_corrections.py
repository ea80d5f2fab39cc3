"""Lines of corrections.csv that cannot be used: which, why, and what to do."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

import pyarrow.compute as pc
import pyarrow.dataset as ds

from lakehouse.run.report import Rejected
from lakehouse.storage import delta
from lakehouse.storage.landed_files import LandedFile
from music.corrections import REMEDIES

SHOWN = 5
COLUMNS = ["file_name", "row_number", "problem"]


def rejected_corrections(lakehouse: Path, files: Iterable[LandedFile]) -> list[Rejected]:
    """The corrections files in the landing folder with lines that cannot be used, by path; each fails every run until mended."""
    lines = lakehouse / "silver" / "correction_lines"
    rows = {file.path: file.rows or 0 for file in files if file.target == "corrections" and file.is_present}
    if not rows or delta.version(lines) is None:
        return []
    is_bad = pc.is_valid(ds.field("problem"))
    bad = [row for row in delta.read_rows(lines, COLUMNS, is_bad) if row["file_name"] in rows]
    bad.sort(key=lambda row: (row["file_name"], row["row_number"]))
    by_file = {path: list(group) for path, group in groupby(bad, key=lambda row: str(row["file_name"]))}
    return [Rejected(path, max(rows[path], len(found)), len(found), _because(found), True) for path, found in by_file.items()]


def _because(lines: Sequence[Mapping[str, Any]]) -> str:
    """Such as `line 3: the action is one of ...`; lines are counted as an editor does, the header being the first."""
    told = [f"line {line['row_number'] + 1}: {line['problem']}, {REMEDIES[line['problem']]}" for line in lines[:SHOWN]]
    more = [f"and {len(lines) - SHOWN} more"] if len(lines) > SHOWN else []
    return "; ".join([*told, *more])
