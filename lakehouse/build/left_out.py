"""Leaving listeners out of what is published: who has to be, and the rows that a table then holds."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from lakehouse.build.held_listeners import check_share, colliding, none_of, violators
from lakehouse.build.inputs import Reader, one_of
from lakehouse.build.quality import CheckResult
from lakehouse.build.task import Task
from lakehouse.declare.table import LISTENER, Table
from lakehouse.storage import delta
from lakehouse.storage.held import Held

Replaced = tuple[str, Iterable[str]]


def held_back(
    reader: Reader,
    declared: Table,
    task: Task,
    new: DataFrame,
    references: Mapping[str, DataFrame],
    checks: Sequence[CheckResult],
) -> list[Held]:
    """The listeners whose new rows are to be left out, so that the others' break no rule; nobody where nobody's do.

    Raises WholeTableError where leaving out a few listeners does not help.
    """
    if not declared.holds_listeners:
        return []
    is_broken = any(check.status == "FAIL" for check in checks)
    held = violators(declared, new, references, checks) if is_broken else []
    left = {*task.withheld, *[one.user_id for one in held]}
    # Whose old rows stay may hold a key that others want now; then these wait too, and their old rows stay in turn.
    while left and (kept := kept_rows(reader, declared, None, left)) is not None:
        more = colliding(declared, new.where(none_of(left)), kept)
        held, left = [*held, *more], left | {one.user_id for one in more}
        if not more:
            break
    if held:
        version = reader.lakehouse.version(declared)
        published = [] if version is None else [reader.table(declared, version)]
        check_share({one.user_id for one in held}, task.listeners, new, *published)
    return held


def kept_rows(reader: Reader, declared: Table, replaced: Replaced | None, left: Iterable[str]) -> DataFrame | None:
    """The published rows of listeners, of those that are replaced; None where no row has what the table now declares."""
    version, path = reader.lakehouse.version(declared), reader.lakehouse.path(declared)
    if version is None:
        return None
    there = delta.kept_columns(path, declared)
    if any(not column.nullable and column.name not in there for column in declared.columns):
        return None
    rows = reader.table(declared, version).where(F.col(LISTENER).isin(sorted(left)))
    rows = rows if replaced is None else rows.where(one_of(*replaced))
    types = delta.types_of(declared).items()
    return rows.select(*[(F.col(name) if name in there else F.lit(None).cast(kind)).alias(name) for name, kind in types])


def without(reader: Reader, declared: Table, new: DataFrame, replaced: Replaced | None, left: Iterable[str]) -> DataFrame:
    """The new rows of all others, and the old rows of the listeners who are left out.

    Where only the others' keys are replaced, the old rows stay where they are and are no part of the result.
    """
    others = new.where(none_of(left))
    if replaced is not None and replaced[0] == LISTENER:
        return others
    kept = kept_rows(reader, declared, replaced, left)
    return others if kept is None else others.unionByName(kept)
