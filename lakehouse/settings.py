"""Settings: environment variables and `.env`, overridden by the command line; every one is named in `.env.example`."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any
from zoneinfo import ZoneInfo, available_timezones

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

PROJECT_ROOT = Path(__file__).resolve().parent.parent
LISTENER_NAME = re.compile(r"[^\x00-\x1f\x7f/\\]{1,200}")
# Ids of synthetic listeners are no name for a real one, whose figures would then be mixed with theirs.
RESERVED = ("_", ".", "synthetic:")
NAMES_REFUSED = "no slashes or control characters, no leading _, . or synthetic:"


def is_person(name: str) -> bool:
    """Whether a real listener can have this name."""
    return bool(LISTENER_NAME.fullmatch(name)) and not name.startswith(RESERVED)


class Settings(BaseSettings):
    """Raises pydantic.ValidationError for a value that cannot be used."""

    model_config = SettingsConfigDict(
        env_prefix="LAKEHOUSE_",
        env_file=(PROJECT_ROOT / ".env",),
        extra="ignore",
        frozen=True,
        populate_by_name=True,
        validate_by_name=True,
    )

    landing: Path = PROJECT_ROOT / "data" / "landing"
    dir: Path = PROJECT_ROOT / "data" / "lakehouse"
    engine: str = "auto"
    user: str = "me"
    timezone: str = "UTC"
    timezones: dict[str, str] = {}
    session_gap_minutes: Annotated[int, Field(ge=1, le=24 * 60)] = 30
    spark_memory: Annotated[str, Field(pattern=r"^\d+[mg]$")] = "2g"
    workers: Annotated[int, Field(ge=1, le=64)] = 3
    interval_hours: Annotated[float, Field(ge=1 / 60, le=24 * 31)] = 6.0
    max_file_mb: Annotated[int, Field(ge=1)] = 2048
    allow_synthetic: Annotated[bool, Field(validation_alias="ALLOW_SYNTHETIC")] = True
    exclude_explicit: bool = False
    client_id: Annotated[SecretStr | None, Field(validation_alias="CLIENT_ID")] = None
    client_secret: Annotated[SecretStr | None, Field(validation_alias="CLIENT_SECRET")] = None
    redirect_uri: Annotated[str, Field(validation_alias="REDIRECT_URI")] = "http://127.0.0.1:8888/callback"

    @field_validator("landing", "dir", mode="before")
    @classmethod
    def _local_folder(cls, value: Any) -> Any:
        if "://" in str(value):
            raise ValueError(f"{value}: only local folders can be used so far")
        path = Path(value).expanduser().absolute()
        if path.exists() and not path.is_dir():
            raise ValueError(f"{value} is a file; name the folder it lies in")
        return path

    @field_validator("engine")
    @classmethod
    def _known_engine(cls, value: str) -> str:
        if value not in ("auto", "embedded", "spark") and not value.startswith("sc://"):
            raise ValueError(f"{value!r} is not auto, embedded, spark or sc://host:port")
        return value

    @field_validator("user")
    @classmethod
    def _listener_name(cls, value: str) -> str:
        if not is_person(value):
            raise ValueError(f"{value!r} cannot be a listener's name ({NAMES_REFUSED})")
        return value

    @field_validator("timezone", "timezones")
    @classmethod
    def _known_zone(cls, value: str | dict[str, str]) -> str | dict[str, str]:
        for zone in [value] if isinstance(value, str) else value.values():
            if zone not in available_timezones() or zone in ("localtime", "Factory"):
                raise ValueError(f"{zone!r} is not a time zone; use a name like Europe/Berlin")
            ZoneInfo(zone)
        return value

    def parameters(self) -> dict[str, Any]:
        """What transforms may ask for as keyword-only arguments; each value is part of the fingerprint of who asks."""
        return {
            "allow_synthetic": self.allow_synthetic,
            "exclude_explicit": self.exclude_explicit,
            "default_timezone": self.timezone,
            "timezones": dict(sorted(self.timezones.items())),
            "session_gap_minutes": self.session_gap_minutes,
        }
