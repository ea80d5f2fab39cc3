"""The query parameters of every endpoint: the same classes check them and describe them for OpenAPI."""

from __future__ import annotations

import datetime as dt
import re
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema

MOST_ITEMS = 100
FIRST_YEAR, LAST_YEAR = 1970, 2199
"""within those of gold.year_in_music"""
DATE = r"(19[7-9]|2[01][0-9])[0-9]-[0-9]{2}-[0-9]{2}"
PeriodType = Literal["week", "month", "quarter", "year", "all_time"]
ListName = Literal["discover", "rediscover", "daily_mix"]


def _digits(value: Any) -> Any:
    """Pydantic would also take ` 5`, `5.0` and `1_000` for a number."""
    if isinstance(value, str) and not re.fullmatch(r"-?[0-9]{1,9}", value):
        raise ValueError("must be a whole number")
    return value


def _date(value: Any) -> Any:
    """Pydantic would also take seconds since 1970 for a date."""
    if isinstance(value, str):
        if not re.fullmatch(DATE, value):
            raise ValueError(f"must be a date such as 2026-11-30, from {FIRST_YEAR} to {LAST_YEAR}")
        return dt.date.fromisoformat(value)
    return value


Whole = Annotated[int, BeforeValidator(_digits)]
Date = Annotated[dt.date, BeforeValidator(_date), WithJsonSchema({"type": "string", "format": "date", "pattern": f"^{DATE}$"})]
Year = Annotated[int, Field(ge=FIRST_YEAR, le=LAST_YEAR), BeforeValidator(_digits)]


class ListenerQuery(BaseModel):
    """Whose figures."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    listener: str | None = Field(
        None, min_length=1, max_length=200, description="the listener; only an admin's token may name another than its own"
    )


class Page(ListenerQuery):
    """Which part of a list."""

    limit: Whole = Field(20, ge=1, le=MOST_ITEMS, description="most items of an answer")
    offset: Whole = Field(0, ge=0, le=100_000, description="items to pass over")


class NowQuery(ListenerQuery):
    """How many of the last plays."""

    limit: Whole = Field(10, ge=1, le=MOST_ITEMS, description="most plays of the answer")


class _Period(ListenerQuery):
    period: PeriodType = Field("all_time", description="kind of period; weeks begin on Monday")
    date: Date | None = Field(
        None, description="any date of the period; without it, the listener's latest period; of no effect with all_time"
    )


class StatsQuery(_Period):
    """Which period."""


class TopQuery(_Period, Page):
    """Which period, and which part of its chart."""


class RecommendationsQuery(Page):
    """Which list of recommendations."""

    list: ListName = Field("discover", description="new tracks, loved ones not heard for 60 days, or a mix of both")


class YearQuery(ListenerQuery):
    """Which year."""

    year: Year | None = Field(None, description="calendar year; without it, the listener's latest one with a play")
