"""Tables computed a second time, by another engine from another text, and how the two are compared."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

RELATIVE = 1e-9
# Sums of values around zero cancel: below this, two doubles are the same zero.
ABSOLUTE = 1e-12
SHOWN = 5


def assert_same(rows: Sequence[Mapping[str, Any]], oracle_rows: Sequence[Mapping[str, Any]], key: Sequence[str]) -> None:
    """Both hold the same keys once, the same columns and the same values: doubles to 1e-9 relative, everything else exactly.

    Lineage columns (leading underscore) are left out. Fails with the first differences.
    """
    got, expected = _by_key(rows, key), _by_key(oracle_rows, key)
    missing, extra = sorted(expected.keys() - got.keys(), key=str), sorted(got.keys() - expected.keys(), key=str)
    assert not missing, f"{len(missing)} rows missing, e.g. {missing[:SHOWN]}"
    assert not extra, f"{len(extra)} rows too many, e.g. {extra[:SHOWN]}"
    differences = [
        f"{k} {name}: {got[k].get(name)!r} instead of {expected[k].get(name)!r}"
        for k in sorted(expected, key=str)
        for name in sorted(got[k].keys() | expected[k].keys())
        if name not in got[k] or name not in expected[k] or not _same(got[k][name], expected[k][name])
    ]
    assert not differences, f"{len(differences)} values differ:\n" + "\n".join(differences[:SHOWN])


def _by_key(rows: Sequence[Mapping[str, Any]], key: Sequence[str]) -> dict[tuple[Any, ...], dict[str, Any]]:
    plain = [{name: _plain(value) for name, value in row.items() if not name.startswith("_")} for row in rows]
    keyed = {tuple(row[name] for name in key): row for row in plain}
    assert len(keyed) == len(plain), f"{len(plain) - len(keyed)} rows share a key {tuple(key)}"
    return keyed


def _plain(value: Any) -> Any:
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, dt.datetime) and value.tzinfo is not None:
        return value.astimezone(dt.timezone.utc).replace(tzinfo=None)
    return value


def _same(value: Any, expected: Any) -> bool:
    if isinstance(value, float) and isinstance(expected, (int, float)) and not isinstance(expected, bool):
        return math.isclose(value, expected, rel_tol=RELATIVE, abs_tol=ABSOLUTE)
    return type(value) is type(expected) and bool(value == expected)
