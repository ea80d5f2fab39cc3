"""Landing files most of whose rows are quarantined: how many, for which reasons, and what to do."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.dataset as ds

from lakehouse.landing.owners import is_brought
from lakehouse.run.report import Rejected
from lakehouse.settings import RECEIVED
from lakehouse.storage import delta
from lakehouse.storage.landed_files import LandedFile

HISTORY = "listening_history"
REMEDIES = {
    "missing_ts": "they have no time",
    "unparseable_ts": "times are read as 2024-01-31T10:20:30Z; a spreadsheet may have rewritten them: put in the original file",
    "ts_in_future": "they lie in the future: check the unit and the year of the times",
    "ts_before_2006": "they lie before 2006: check the unit and the year of the times",
    "missing_ms_played": "they lack the time played: put in the original file",
    "unparseable_ms_played": "the time played is read as whole ms, such as 185000: put in the original file",
    "negative_ms_played": "the time played is below 0",
    "ms_played_over_24h": "the time played is read in ms: check its unit",
    "no_names_and_no_uri": "they name no track",
    "no_names_and_unknown_uri": "they name no track, and their URI is none of a track",
}
# Examples come from the beginning of a file.
FIRST_ROWS = 1000
SHOWN_REASONS, SHOWN_VALUES, LONGEST_VALUE = 3, 2, 40


def rejected_files(
    lakehouse: Path,
    files: Iterable[LandedFile],
    new_hashes: Collection[str],
    reconciliation: Sequence[Mapping[str, Any]] | None,
) -> list[Rejected]:
    """The files of listening history in the landing folder more than half of whose rows are quarantined, by path.

    `new_hashes` are the files that this run was the first to read. `reconciliation` has the counts per file where nothing was
    built since; None where silver.plays has to be counted.
    """
    rows = {file.file_hash: file for file in files if file.status == "ingested" and file.target == HISTORY and file.is_present}
    plays = lakehouse / "silver" / "plays"
    if not rows or delta.version(plays) is None:
        return []
    if reconciliation is not None:
        counts = {row["file_hash"]: row["quarantined"] for row in reconciliation}
        rows = {key: file for key, file in rows.items() if _is_most(counts.get(key, 0), file)}
    reasons = _reasons(plays, rows) if rows else {}
    found = [(file, reasons[key]) for key, file in rows.items() if _is_most(reasons[key].total(), file)]
    values = _values(plays, [file.file_hash for file, _ in found])
    told = [_rejected(file, count, values[file.file_hash], is_new=file.file_hash in new_hashes) for file, count in found]
    return sorted(told, key=lambda one: one.path)


def _rejected(file: LandedFile, count: Counter[str], values: Mapping[str, Sequence[str]], *, is_new: bool) -> Rejected:
    """It is a failure as long as nobody has been told that not one row counts; not of an answer, which nobody can mend."""
    rows, rejected = file.rows or 0, count.total()
    is_received = file.container.split("/")[0] == RECEIVED and not is_brought(file.container)
    is_failure = is_new and rejected == rows and not is_received
    return Rejected(file.path, rows, rejected, _told(count, values, with_remedies=not is_received), is_failure)


def _is_most(quarantined: int, file: LandedFile) -> bool:
    return 2 * quarantined > (file.rows or 0)


def _reasons(plays: Path, hashes: Collection[str]) -> dict[str, Counter[str]]:
    """Per file, its quarantined rows by reason; read in batches, as a history may be of any size."""
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    is_quarantined = ds.field("disposition") == "quarantined"
    for batch in delta.dataset(plays).to_batches(columns=["file_hash", "reason"], filter=is_quarantined):
        grouped = pa.Table.from_batches([batch]).group_by(["file_hash", "reason"]).aggregate([([], "count_all")])
        for row in grouped.to_pylist():
            if row["file_hash"] in hashes:
                counts[row["file_hash"]][row["reason"]] += row["count_all"]
    return counts


def _values(plays: Path, hashes: Collection[str]) -> dict[str, dict[str, list[str]]]:
    """Per file and reason, the first few values that caused it."""
    values: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    if not hashes:
        return values
    where = (ds.field("disposition") == "quarantined") & ds.field("file_hash").isin(list(hashes))
    columns = ["file_hash", "row_number", "reason", "reason_value"]
    first = ds.field("row_number") <= FIRST_ROWS
    rows = delta.dataset(plays).to_table(columns=columns, filter=where & first).sort_by("row_number").to_pylist()
    for row in rows:
        shown, value = values[row["file_hash"]][row["reason"]], row["reason_value"]
        if value is not None and value.strip() and value not in shown and len(shown) < SHOWN_VALUES:
            shown.append(value)
    return values


def _told(count: Counter[str], values: Mapping[str, Sequence[str]], *, with_remedies: bool) -> str:
    """Such as `4 unparseable_ts ('7/1/2013 2:44'): times are read as ...`, the commonest reasons first."""
    parts = []
    for reason, number in sorted(count.items(), key=lambda item: (-item[1], item[0]))[:SHOWN_REASONS]:
        examples = ", ".join(repr(value[:LONGEST_VALUE]) for value in values.get(reason, ()))
        remedy = f": {REMEDIES[reason]}" if with_remedies and reason in REMEDIES else ""
        parts.append(f"{number:,} {reason}" + (f" ({examples})" if examples else "") + remedy)
    more = len(count) - SHOWN_REASONS
    return "; ".join(parts) + (f"; other reasons: {more}" if more > 0 else "")
