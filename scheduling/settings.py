"""The settings of the scheduler, beside LAKEHOUSE_INTERVAL_HOURS."""

from __future__ import annotations

import datetime as dt
from typing import Annotated

from pydantic import Field, SecretStr

from lakehouse.settings import Settings


class SchedulerSettings(Settings):
    """Raises pydantic.ValidationError for a value that cannot be used."""

    poll_minutes: Annotated[float, Field(ge=1, le=24 * 60)] = 20.0
    """minutes between polls; Spotify tells the last 50 plays only"""
    poll_full_minutes: Annotated[float, Field(ge=1, le=24 * 60)] = 3.0
    """minutes until the next poll after one that brought 40 or more plays of an account"""
    build_after_plays: Annotated[int, Field(ge=1)] = 50
    """a build starts as soon as so many plays have come since the last one"""

    maintain_days: Annotated[float, Field(ge=0, le=366)] = 7.0
    """days between two upkeeps of the lakehouse; 0: none"""

    webhook_url: SecretStr | None = None
    """whether anybody is told; `lakehouse notify` checks it"""

    @property
    def build_interval(self) -> dt.timedelta:
        """Between two builds."""
        return dt.timedelta(hours=self.interval_hours)

    @property
    def poll_interval(self) -> dt.timedelta:
        """Between two polls."""
        return dt.timedelta(minutes=self.poll_minutes)

    @property
    def maintain_interval(self) -> dt.timedelta | None:
        """Between two upkeeps; None: there are none."""
        return dt.timedelta(days=self.maintain_days) if self.maintain_days else None

    @property
    def full_interval(self) -> dt.timedelta:
        """Between a poll that was full and the next one; never longer than usual."""
        return dt.timedelta(minutes=min(self.poll_full_minutes, self.poll_minutes))
