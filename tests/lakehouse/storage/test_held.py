"""What the ledger remembers of listeners who are held back."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

from lakehouse.storage import delta
from lakehouse.storage.held import Held, HeldKey, updated
from lakehouse.storage.ledger import HELD_KEYS, Ledger

FIRST, NOW = (dt.datetime(2026, 1, day, tzinfo=dt.timezone.utc) for day in (1, 2))


def key(user: str, rule: str, violations: int = 1, *, since: dt.datetime = FIRST, run: str = "one") -> HeldKey:
    return HeldKey("gold.weeks", user, rule, violations, since, run)


def test_who_breaks_a_rule_again_keeps_the_time_and_who_passes_is_forgotten() -> None:
    before = [key("ann", "a"), key("ann", "b"), key("bob", "a")]
    found = [Held("ann", "b", 5), Held("cid", "a", 2), Held("bob", "c", 1)]
    assert updated("gold.weeks", before, found, [], "two", NOW) == [
        key("ann", "b", 5),
        key("bob", "c", since=NOW, run="two"),
        key("cid", "a", 2, since=NOW, run="two"),
    ]


def test_who_was_not_tried_stays() -> None:
    before = [key("ann", "a"), key("bob", "a")]
    assert updated("gold.weeks", before, [], ["ann", "cid"], "two", NOW) == [key("ann", "a")]


def test_tables_that_hold_nobody_any_more_are_forgotten(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path)
    ledger.open_held(["gold.weeks"], "one", FIRST)
    assert (ledger.held(), delta.version(ledger.path(HELD_KEYS))) == ([], 0)
    ledger.write_held(["gold.weeks"], [key("o'hara", "a"), key("Jiří", "a")], "one", FIRST)
    ledger.open_held(["gold.weeks"], "two", NOW)
    assert ledger.held() == [key("Jiří", "a"), key("o'hara", "a")]
    assert delta.version(ledger.path(HELD_KEYS)) == 1
    ledger.open_held(["gold.months"], "three", NOW)
    assert ledger.held() == []
