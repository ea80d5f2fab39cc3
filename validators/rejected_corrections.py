"""Lines of corrections files that cannot be used, or that are in force although their file is gone: which, and what to do."""

from __future__ import annotations

from collections import Counter
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
COLUMNS = ["file_name", "line", "problem"]


def rejected_corrections(lakehouse: Path, files: Iterable[LandedFile]) -> list[Rejected]:
    """Corrections files with lines that cannot be used, which fail every run until mended, by path; then warnings, of those that
    are gone and have lines in force.
    """
    lines = lakehouse / "silver" / "correction_lines"
    corrections = [file for file in files if file.target == "corrections"]
    rows = {file.path: file.rows or 0 for file in corrections if file.is_present}
    if not corrections or delta.version(lines) is None:
        return []
    is_bad = pc.is_valid(ds.field("problem"))
    bad = [row for row in delta.read_rows(lines, COLUMNS, is_bad) if row["file_name"] in rows]
    in_force = Counter(str(row["file_name"]) for row in delta.read_rows(lines, COLUMNS, ~is_bad) if row["file_name"] not in rows)
    gone = [Rejected(path, count, 0, _gone(count), False) for path, count in sorted(in_force.items())]
    bad.sort(key=lambda row: (row["file_name"], row["line"]))
    by_file = {path: list(group) for path, group in groupby(bad, key=lambda row: str(row["file_name"]))}
    unused = [Rejected(path, max(rows[path], len(found)), len(found), _because(found), True) for path, found in by_file.items()]
    return [*unused, *gone]


def _gone(lines: int) -> str:
    what = f"{lines:,} lines of it are" if lines != 1 else "a line of it is"
    return f"the file is gone and {what} still in force; to take them back, put a file with the header alone in its place"


def _because(lines: Sequence[Mapping[str, Any]]) -> str:
    """Such as `line 3: the action is one of ...`."""
    told = [f"line {line['line']}: {line['problem']}, {REMEDIES[line['problem']]}" for line in lines[:SHOWN]]
    more = [f"and {len(lines) - SHOWN} more"] if len(lines) > SHOWN else []
    return "; ".join([*told, *more])
