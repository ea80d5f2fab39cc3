"""Where messages go that somebody has to read."""

from __future__ import annotations

from typing import Literal
from urllib.parse import urlsplit

from pydantic import SecretStr, field_validator
from pydantic_settings import SettingsConfigDict

from music.settings import ListeningSettings
from polling.settings import LOOPBACK

Kind = Literal["json", "ntfy", "discord"]


class WebhookSettings(ListeningSettings):
    """Raises pydantic.ValidationError for a value that cannot be used; no error repeats the address, which may be a secret."""

    model_config = SettingsConfigDict(hide_input_in_errors=True)

    webhook_url: SecretStr | None = None
    """None: nobody is told"""
    webhook_kind: Kind = "json"

    @field_validator("webhook_url", mode="before")
    @classmethod
    def _nobody(cls, value: str | SecretStr | None) -> str | SecretStr | None:
        """Compose passes a setting that is not there as an empty one."""
        return value or None

    @field_validator("webhook_url")
    @classmethod
    def _address(cls, value: SecretStr | None) -> SecretStr | None:
        if value is None:
            return value
        try:
            parts = urlsplit(value.get_secret_value())
            host, _ = parts.hostname, parts.port
        except ValueError:
            raise ValueError("this is not an address") from None
        if parts.scheme not in ("http", "https") or not host:
            raise ValueError("this is not an address that begins with https://")
        if parts.scheme == "http" and host not in LOOPBACK:
            raise ValueError("the address must begin with https://; http is accepted for this machine only")
        return value
