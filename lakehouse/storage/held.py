"""Listeners who are held back: what one build found, and what the ledger remembers of it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True, order=True)
class Held:
    """One listener whose newly computed rows break a FAIL rule of a table."""

    user_id: str
    rule: str
    violations: int
    """the listener's rows that break it"""


@dataclass(frozen=True, order=True)
class HeldKey:
    """One row of ops.held_keys."""

    table_name: str
    user_id: str
    rule: str
    violations: int
    since: dt.datetime
    run_id: str


def updated(
    table_name: str,
    before: Iterable[HeldKey],
    found: Iterable[Held],
    withheld: Iterable[str],
    run_id: str,
    now: dt.datetime,
) -> list[HeldKey]:
    """What is held back of a table after a build that found these; listeners who are withheld were not tried and stay.

    Who was held back by that rule before keeps the time and the run.
    """
    known: Mapping[tuple[str, str], HeldKey] = {(key.user_id, key.rule): key for key in before}
    skipped = set(withheld)
    untried = [key for key in known.values() if key.user_id in skipped]
    tried = []
    for held in found:
        first = known.get((held.user_id, held.rule))
        since, first_run = (first.since, first.run_id) if first else (now, run_id)
        tried.append(HeldKey(table_name, held.user_id, held.rule, held.violations, since, first_run))
    return sorted([*untried, *tried])
