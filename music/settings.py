"""The settings of a lakehouse of listening histories, beside the kernel's own."""

from __future__ import annotations

from typing import Annotated, Any
from zoneinfo import ZoneInfo, available_timezones

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import NoDecode

from lakehouse.settings import Settings

# Names that the zone database lists and that mean another zone on every machine.
NO_ZONES = ("localtime", "Factory")


class ListeningSettings(Settings):
    """Raises pydantic.ValidationError for a value that cannot be used."""

    timezone: str | None = None
    """None: nobody has said in which zone the listeners live. Hours are then computed in UTC, and said to be so."""
    timezones: dict[str, str] = Field(default_factory=dict)
    timezone_of: Annotated[dict[str, str], NoDecode] = Field(default_factory=dict)
    """One listener each, as NAME=ZONE: what an option adds to `timezones`."""
    session_gap_minutes: Annotated[int, Field(ge=1, le=24 * 60)] = 30
    allow_synthetic: Annotated[bool, Field(validation_alias="ALLOW_SYNTHETIC")] = True
    exclude_explicit: bool = False
    recommend_similar_artists: bool = False
    """whether recommendations use what Last.fm and ListenBrainz say of similar artists"""
    client_id: Annotated[SecretStr | None, Field(validation_alias="CLIENT_ID")] = None
    client_secret: Annotated[SecretStr | None, Field(validation_alias="CLIENT_SECRET")] = None
    redirect_uri: Annotated[str, Field(validation_alias="REDIRECT_URI")] = "http://127.0.0.1/callback"

    @field_validator("timezone_of", mode="before")
    @classmethod
    def _by_listener(cls, value: Any) -> Any:
        if isinstance(value, dict):
            return value
        pairs = [text.rpartition("=") for text in ([value] if isinstance(value, str) else value)]
        for name, _, zone in pairs:
            if not name:
                raise ValueError(f"{zone!r} names no listener; write NAME=ZONE, like anna=Europe/Berlin")
        return {name: zone for name, _, zone in pairs}

    @field_validator("timezone", "timezones", "timezone_of")
    @classmethod
    def _valid_zone(cls, value: str | dict[str, str] | None) -> str | dict[str, str] | None:
        for zone in value.values() if isinstance(value, dict) else [value] if value is not None else []:
            if zone not in available_timezones() or zone in NO_ZONES:
                raise ValueError(f"{zone!r} is not a time zone; use a name like Europe/Berlin")
            ZoneInfo(zone)
        return value

    def parameters(self) -> dict[str, Any]:
        """What transforms may ask for as keyword-only arguments."""
        return {
            "allow_synthetic": self.allow_synthetic,
            "exclude_explicit": self.exclude_explicit,
            "recommend_similar_artists": self.recommend_similar_artists,
            "default_timezone": self.timezone,
            "timezones": dict(sorted({**self.timezones, **self.timezone_of}.items())),
            "session_gap_minutes": self.session_gap_minutes,
        }
