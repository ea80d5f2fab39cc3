"""Where the topic of listens is, whose listens are taken from it, and how many messages make a file."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, field_validator

from music.settings import ListeningSettings

SERVER = re.compile(r"(\[[0-9a-fA-F:]+\]|[A-Za-z0-9._-]+):[0-9]{1,5}")
# What Kafka allows; `.` and `..` are names of folders.
TOPIC = re.compile(r"(?!\.{1,2}$)[A-Za-z0-9._-]{1,249}")


class StreamSettings(ListeningSettings):
    """Raises pydantic.ValidationError for a value that cannot be used."""

    kafka_servers: str | None = None
    """brokers to ask first, as HOST:PORT, separated by commas"""
    kafka_topic: str = "listens"
    kafka_group: Annotated[str, Field(pattern=r"^[^\x00-\x1f\x7f]{1,200}$")] = "listening-lakehouse"
    """consumers of one group share the partitions of the topic; all of them need the same inbox"""
    kafka_config: Path | None = None
    """a private properties file with what is needed to log in (`security.*`, `sasl.*`, `ssl.*`)"""
    kafka_listeners: tuple[str, ...] = ()
    """listeners, or patterns of their names, whose messages are taken although the lakehouse does not know them"""
    kafka_batch_messages: Annotated[int, Field(ge=1, le=1_000_000)] = 50_000
    """a file is written as soon as so many messages have come"""
    kafka_batch_seconds: Annotated[float, Field(gt=0, le=24 * 3600)] = 60.0
    """and at the latest so long after the first of them"""

    @field_validator("kafka_servers", mode="before")
    @classmethod
    def _addresses(cls, value: Any) -> Any:
        if value is None or not str(value).strip():
            return None
        servers = [part.strip() for part in str(value).split(",")]
        for server in servers:
            if not SERVER.fullmatch(server):
                raise ValueError(f"{server!r} is not HOST:PORT; write addresses like kafka.example.org:9092, separated by commas")
        return ",".join(servers)

    @field_validator("kafka_topic")
    @classmethod
    def _topic_name(cls, value: str) -> str:
        if not TOPIC.fullmatch(value):
            raise ValueError(f"{value!r} cannot be a topic's name: letters, digits, `.`, `_` and `-`, at most 249 of them")
        return value

    @field_validator("kafka_config", mode="before")
    @classmethod
    def _file(cls, value: Any) -> Any:
        return None if value is None or not str(value).strip() else Path(value).expanduser().absolute()
