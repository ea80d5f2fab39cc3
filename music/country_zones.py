"""Which time zone a country has, by the tables of the IANA time zone database that the package tzdata carries."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping
from functools import cache
from importlib.resources import files
from zoneinfo import ZoneInfo

FIRST_YEAR, LAST_YEAR = 2006, 2037
"""From the first year of streaming to the last whose rules the database lists."""


@cache
def zones_of_countries() -> Mapping[str, str | None]:
    """ISO 3166 country code -> IANA time zone; None for a country with several.

    A country whose zones have shown the same time in every week since 2006 has one clock, and the first zone that the database
    lists stands for it: Germany (Europe/Berlin and the village of Busingen), Malaysia, Uzbekistan, the Marshall Islands.
    """
    zones: dict[str, list[str]] = {}
    for line in (files("tzdata") / "zoneinfo" / "zone.tab").read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#"):
            country, _, zone = line.split("\t")[:3]
            zones.setdefault(country, []).append(zone)
    return {country: names[0] if _is_one_clock(names) else None for country, names in sorted(zones.items())}


def _is_one_clock(zones: list[str]) -> bool:
    first = ZoneInfo(zones[0])
    offsets = ((day.astimezone(first).utcoffset(), day, other) for other in map(ZoneInfo, zones[1:]) for day in _days())
    return all(offset == day.astimezone(other).utcoffset() for offset, day, other in offsets)


def _days() -> Iterator[dt.datetime]:
    """A noon (UTC) of every week, the latest first: most zones of a country differ today."""
    last = dt.datetime(LAST_YEAR, 12, 31, 12, tzinfo=dt.timezone.utc)
    for week in range((LAST_YEAR - FIRST_YEAR + 1) * 52):
        yield last - dt.timedelta(weeks=week)
