"""Calendar periods, as gold.descriptive has them: weeks from Monday, months, quarters and years, and all time."""

from __future__ import annotations

import datetime as dt

from service.api.queries import PeriodType

MONTHS = {"month": 1, "quarter": 3, "year": 12}
ALL_TIME = "all_time"


def start_of(period: PeriodType, date: dt.date) -> dt.date:
    """The first date of the period that holds the date. Raises ValueError for all_time, which no date begins."""
    if period == "week":
        return date - dt.timedelta(days=date.weekday())
    if period == ALL_TIME:
        raise ValueError("all_time begins with the listener's first play")
    months = MONTHS[period]
    return date.replace(month=(date.month - 1) // months * months + 1, day=1)


def end_of(period: PeriodType, start: dt.date) -> dt.date | None:
    """The first date after the period that begins at `start`; None for all_time."""
    if period == "week":
        return start + dt.timedelta(days=7)
    if period == ALL_TIME:
        return None
    years, month = divmod(start.month - 1 + MONTHS[period], 12)
    return dt.date(start.year + years, month + 1, 1)
