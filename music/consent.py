"""How long a person's consent lets the product read an account, and what is said before it ends."""

from __future__ import annotations

import calendar
import datetime as dt
import shlex

# Spotify, since 20 July 2026: refresh tokens end six months after consent, and refreshing does not extend them.
CONSENT_MONTHS = 6
ANNOUNCED = dt.timedelta(days=30)


def consent_end(consented_at: dt.datetime) -> dt.datetime:
    """Six calendar months after consent; on the last day of a shorter month."""
    years, month = divmod(consented_at.month - 1 + CONSENT_MONTHS, 12)
    year = consented_at.year + years
    day = min(consented_at.day, calendar.monthrange(year, month + 1)[1])
    return consented_at.replace(year=year, month=month + 1, day=day)


def command_for(source: str, listener: str) -> str:
    """The command that renews the consent of a listener."""
    return f"lakehouse connect {source.removesuffix('_api')} --user {shlex.quote(listener)}"


def ending_notice(source: str, listener: str, ends: dt.datetime, now: dt.datetime) -> str | None:
    """What is said of a consent that ends, such as `the consent ends on 2026-12-24, in 20 days; renew it with ...`.

    None up to 30 days before.
    """
    remedy = f"renew it with `{command_for(source, listener)}`"
    if now >= ends:
        return f"the consent ended on {ends:%Y-%m-%d}; {remedy}"
    if now >= ends - ANNOUNCED:
        return f"the consent ends on {ends:%Y-%m-%d}, in {(ends - now).days} days; {remedy}"
    return None
