"""The kernel's settings: environment variables and `.env`, overridden by the command line. A project derives its own class."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, ValidationInfo, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

PROJECT_ROOT = Path(__file__).resolve().parent.parent
# The last wins: that of the current folder.
ENV_FILES = (PROJECT_ROOT / ".env", Path(".env"))
LISTENER_NAME = re.compile(r"[^\x00-\x1f\x7f/\\]{1,200}")
# Ids of synthetic listeners are no name for a real one, whose figures would then be mixed with theirs.
RESERVED = ("_", ".", "synthetic:")
# The folder of the landing folder whose files are for everybody: its name takes the place of a listener's.
EVERYONE = "_everyone"
# The folder of the landing folder that holds what the product receives itself; also stands for the listener of its files, which
# name theirs.
RECEIVED = "_api"
# Folders in that one. What a listener brings lies in LISTENERS/NAME, as in the landing folder, and holds rows of NAME alone; what
# the house brings lies in HOUSE, and may name its listeners.
LISTENERS, HOUSE = "listeners", "house"
NAMES_REFUSED = "no slashes or control characters, no leading _, . or synthetic:"


def is_person(name: str) -> bool:
    """Whether a real listener can have this name."""
    return bool(LISTENER_NAME.fullmatch(name)) and not name.startswith(RESERVED)


class Settings(BaseSettings):
    """Raises pydantic.ValidationError for a value that cannot be used."""

    model_config = SettingsConfigDict(
        env_prefix="LAKEHOUSE_",
        env_file=ENV_FILES,
        extra="ignore",
        frozen=True,
        populate_by_name=True,
        validate_by_name=True,
    )

    landing: Path = PROJECT_ROOT / "data" / "landing"
    dir: Path = PROJECT_ROOT / "data" / "lakehouse"
    inbox: Path | None = None
    """folder of what the product receives itself; None: RECEIVED in the landing folder"""
    state_dir: Path = PROJECT_ROOT / "data" / "state"
    """what is neither input nor table, such as tokens"""
    engine: str = "auto"
    user: str = "me"
    spark_memory: Annotated[str, Field(pattern=r"^\d+[mg]$")] = "2g"
    workers: Annotated[int, Field(ge=1, le=64)] = 3
    interval_hours: Annotated[float, Field(ge=1 / 60, le=24 * 31)] = 6.0
    max_file_mb: Annotated[int, Field(ge=1)] = 2048

    @field_validator("landing", "dir", "inbox", "state_dir", mode="before")
    @classmethod
    def _local_folder(cls, value: Any) -> Any:
        if value is None:
            return value
        if "://" in str(value):
            raise ValueError(f"{value}: only local folders are supported so far")
        path = Path(value).expanduser().absolute()
        if path.exists() and not path.is_dir():
            raise ValueError(f"{value} is a file; name its folder")
        return path

    @field_validator("inbox")
    @classmethod
    def _beside_landing(cls, value: Path | None, info: ValidationInfo) -> Path | None:
        landing = info.data.get("landing")
        if value is not None and landing is not None and (value == landing or value in landing.parents):
            raise ValueError(f"{value} must not be or hold the landing folder; name a folder beside or in it")
        return value

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

    @property
    def inbox_folder(self) -> Path:
        """Where what the product receives itself lies."""
        return self.inbox or self.landing / RECEIVED

    def parameters(self) -> dict[str, Any]:
        """What transforms may ask for as keyword-only arguments; each value is part of the fingerprint of who asks."""
        return {}
