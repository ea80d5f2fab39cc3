"""Where the BI stack lies and listens."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Annotated

from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from lakehouse.settings import ENV_FILES, PROJECT_ROOT

Port = Annotated[int, Field(ge=1024, le=65535)]
# The path of Postgres' socket must stay under 107 bytes.
LONGEST_FOLDER = 85


class BISettings(BaseSettings):
    """Raises pydantic.ValidationError for a value that cannot be used.

    `dir` holds all that the stack generates and stores; `host` is the address that the servers bind to; `names` are the
    names, beside localhost, under which clients reach Trino (its certificate is made out to them).
    """

    model_config = SettingsConfigDict(
        env_prefix="LAKEHOUSE_BI_", env_file=ENV_FILES, extra="ignore", frozen=True, populate_by_name=True
    )

    dir: Path = PROJECT_ROOT / "data" / "bi"
    host: str = "127.0.0.1"
    names: tuple[str, ...] = ()
    trino_port: Port = 8443
    superset_port: Port = 8088
    postgres_port: Port = 5433
    trino_memory: Annotated[str, Field(pattern=r"^\d+[MG]$")] = "1536M"
    s3_endpoint: Annotated[str | None, Field(validation_alias="LAKEHOUSE_S3_ENDPOINT", pattern=r"^https?://\S+$")] = None
    s3_region: Annotated[str, Field(validation_alias="LAKEHOUSE_S3_REGION", pattern=r"^[\w-]+$")] = "us-east-1"
    s3_access_key: Annotated[SecretStr | None, Field(validation_alias="LAKEHOUSE_S3_ACCESS_KEY")] = None
    s3_secret_key: Annotated[SecretStr | None, Field(validation_alias="LAKEHOUSE_S3_SECRET_KEY")] = None

    @field_validator("dir")
    @classmethod
    def _short_folder(cls, value: Path) -> Path:
        path = value.expanduser().absolute()
        if len(str(path)) > LONGEST_FOLDER:
            raise ValueError(f"{path} is longer than {LONGEST_FOLDER} characters, too long for Postgres' socket")
        if not re.fullmatch(r"[\w/.+~-]+", str(path)):
            raise ValueError(
                f"{path}: use only letters, digits and / . _ + ~ -, because the path goes into the servers' configuration files"
            )
        return path

    @model_validator(mode="after")
    def _ports_apart(self) -> BISettings:
        if len({self.trino_port, self.superset_port, self.postgres_port}) < 3:
            raise ValueError("LAKEHOUSE_BI_TRINO_PORT, _SUPERSET_PORT and _POSTGRES_PORT must be three different ports")
        return self

    @property
    def credentials(self) -> Path:
        """What people and clients need to log in: KEY=value, 0600."""
        return self.dir / "credentials.env"

    @property
    def secrets(self) -> Path:
        """What the servers share among themselves: KEY=value, 0600."""
        return self.dir / "secrets.env"

    @property
    def certificate(self) -> Path:
        """Trino's certificate, which clients trust."""
        return self.dir / "ca.pem"

    @property
    def key_and_certificate(self) -> Path:
        """Trino's private key and certificate in one file, 0600."""
        return self.dir / "server.pem"


def start_command() -> str:
    """What a person types to start the stack: in containers another command than here."""
    return os.environ.get("LAKEHOUSE_BI_COMMAND") or "make bi"


def problems_of(error: ValidationError) -> list[str]:
    """What is wrong with settings, a line each, by the names that people set them by."""
    return [
        ": ".join([*[_name(str(part)) for part in problem["loc"][:1]], problem["msg"].removeprefix("Value error, ")])
        for problem in error.errors()
    ]


def _name(field: str) -> str:
    return f"LAKEHOUSE_BI_{field.upper()}" if field in BISettings.model_fields else field
