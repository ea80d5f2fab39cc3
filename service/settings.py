"""Where the service listens, and under which names it is reached."""

from __future__ import annotations

import json
import re
from typing import Annotated, Any

from pydantic import Field, field_validator
from pydantic_settings import NoDecode

from music.settings import ListeningSettings

LOOPBACK_NAMES = ("127.0.0.1", "localhost", "[::1]")
HOST_NAME = re.compile(r"(?=.{1,253}$)[a-z0-9]([a-z0-9.-]*[a-z0-9])?|\[[0-9a-f:.]+\]")


class ServiceSettings(ListeningSettings):
    """Raises pydantic.ValidationError for a value that cannot be used."""

    serve_host: str = "127.0.0.1"
    """the address that the service binds to"""
    serve_port: Annotated[int, Field(ge=1, le=65535)] = 8090
    serve_names: Annotated[tuple[str, ...], NoDecode] = ()
    """host names or addresses, beside those of this machine's loopback, under which browsers and players reach it"""

    @field_validator("serve_names", mode="before")
    @classmethod
    def _listed(cls, value: Any) -> Any:
        if not isinstance(value, str):
            return value
        try:
            return json.loads(value or "[]")
        except ValueError:
            raise ValueError('write it as JSON, a list of names, like ["music.example.org", "192.168.1.10"]') from None

    @field_validator("serve_names")
    @classmethod
    def _host_names(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        names = tuple(name.lower() for name in value)
        for name in names:
            if not HOST_NAME.fullmatch(name):
                raise ValueError(f"{name!r} is not a host name; write it without http:// and without a port")
        return names

    @property
    def allowed_names(self) -> tuple[str, ...]:
        """Every name that a request may carry in its Host header."""
        return (*LOOPBACK_NAMES, *self.serve_names)
