"""The settings of upkeep: how long what is old can still be read."""

from __future__ import annotations

import datetime as dt
from typing import Annotated

from pydantic import Field

from music.settings import ListeningSettings


class UpkeepSettings(ListeningSettings):
    """Raises pydantic.ValidationError for a value that cannot be used."""

    version_days: Annotated[int, Field(ge=1)] = 7
    """days for which earlier versions of a table can be read; a query that takes longer may lose its files"""
    history_days: Annotated[int, Field(ge=1)] = 365
    """days for which runs, builds and results of quality rules are kept"""

    @property
    def version_age(self) -> dt.timedelta:
        """As `version_days`."""
        return dt.timedelta(days=self.version_days)

    @property
    def history_age(self) -> dt.timedelta:
        """As `history_days`."""
        return dt.timedelta(days=self.history_days)
