"""What the commits of a Delta table changed, in the keys of the table's scope: as each commit says itself."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from deltalake import DeltaTable

from lakehouse.declare.table import Table
from lakehouse.storage.delta import Newest, newest_commit

# Operations that rearrange files and change no row.
NO_CHANGE = ("OPTIMIZE", "VACUUM START", "VACUUM END", "CREATE TABLE", "SET TBLPROPERTIES")


@dataclass(frozen=True)
class Change:
    """What a commit changed: the values of the table's scope column, or everything when `keys` is None."""

    keys: frozenset[str] | None

    def __or__(self, other: Change) -> Change:
        return EVERYTHING if self.keys is None or other.keys is None else Change(self.keys | other.keys)

    def __bool__(self) -> bool:
        return self.keys is None or bool(self.keys)

    def to_json(self) -> list[str] | None:
        return None if self.keys is None else sorted(self.keys)

    @staticmethod
    def from_json(keys: list[str] | None) -> Change:
        return EVERYTHING if keys is None else Change(frozenset(keys))


@lru_cache(maxsize=256)
def _commits(newest: Newest, number: int) -> dict[int, dict[str, Any]]:
    """What each of the last commits says of itself, by version: no earlier ones, which upkeep may be removing right now."""
    return {commit["version"]: commit for commit in DeltaTable(newest.path).history(number)}


def change_since(path: Path, consumed: int, newest: int) -> Change:
    """The union of what the commits after `consumed` up to `newest` changed; an unknown commit changed everything."""
    if newest == consumed:
        return NOTHING
    if newest < consumed:
        return EVERYTHING
    # From the newest commit there is: history of an older version counts from the wrong end.
    last = newest_commit(path)
    commits = _commits(last, last.version - consumed) if last else {}
    change = NOTHING
    for number in range(consumed + 1, newest + 1):
        change |= _change_of(commits.get(number))
    return change


def unchanged_until(path: Path, consumed: int, newest: int) -> int:
    """The last version up to `newest` that has the same rows as `consumed`: its files stay, whatever upkeep does."""
    last = newest_commit(path)
    commits = _commits(last, last.version - consumed) if last and consumed < last.version else {}
    number = consumed
    while number < newest and number + 1 in commits and not _change_of(commits[number + 1]):
        number += 1
    return number


def _change_of(commit: Mapping[str, Any] | None) -> Change:
    if commit is None:
        return EVERYTHING
    try:
        return Change.from_json(json.loads(commit["userMetadata"])["changed"])
    except (KeyError, ValueError, TypeError):
        return NOTHING if commit.get("operation") in NO_CHANGE else EVERYTHING


def metadata_of(declared: Table, change: Change, run_id: str, upstreams: Mapping[str, int]) -> str:
    """The JSON stored with a commit: what changed, the run, and the upstream versions it was computed from."""
    content = {"column": declared.scope_column, "changed": change.to_json(), "run_id": run_id, "upstreams": dict(upstreams)}
    return json.dumps(content, sort_keys=True)


EVERYTHING = Change(None)
NOTHING = Change(frozenset())
