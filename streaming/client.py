"""The Kafka client, which is an extra: imported when it is needed, and set up so that only landed messages are committed."""

from __future__ import annotations

import importlib
import logging
from collections.abc import Callable, Mapping
from typing import Any

from streaming.errors import MissingExtraError, StreamError
from streaming.settings import StreamSettings

MISSING = "the Kafka client is not installed: pip install 'confluent-kafka>=2.16', or the project with its extra [kafka]"
NO_SERVERS = "no Kafka is named: set LAKEHOUSE_KAFKA_SERVERS to HOST:PORT, or give --servers"
DESCRIBE_SECONDS = 5.0
# What a broker without topic ids answers.
NO_ID = "AAAAAAAAAAAAAAAAAAAAAA"


def kafka() -> Any:
    """The module confluent_kafka. Raises MissingExtraError."""
    try:
        return importlib.import_module("confluent_kafka")
    except ImportError as error:
        raise MissingExtraError(MISSING) from error


def common(settings: StreamSettings, properties: Mapping[str, str]) -> dict[str, Any]:
    """What every client needs. Raises StreamError without servers."""
    if settings.kafka_servers is None:
        raise StreamError(NO_SERVERS)
    return {**properties, "bootstrap.servers": settings.kafka_servers, "client.id": "listening-lakehouse"}


def consumer(
    settings: StreamSettings, properties: Mapping[str, str], logger: logging.Logger, on_error: Callable[[Any], None]
) -> Any:
    """A consumer that commits nothing by itself, and tells where an offset is gone or a partition ends. Raises StreamError."""
    values = {
        **common(settings, properties),
        "group.id": settings.kafka_group,
        "enable.auto.commit": False,
        "enable.auto.offset.store": False,
        "auto.offset.reset": "error",
        "enable.partition.eof": True,
        "error_cb": on_error,
        # A batch that takes long to write is no reason to lose the partition.
        "max.poll.interval.ms": 300_000,
        # After a kill, the next start waits so long for the partitions.
        "session.timeout.ms": 10_000,
        # A topic that comes into being later is noticed after so long.
        "topic.metadata.refresh.interval.ms": 30_000,
        "queued.max.messages.kbytes": 65_536,
    }
    return made("Consumer", values, logger)


def made(kind: str, values: dict[str, Any], logger: logging.Logger) -> Any:
    """A client of a kind; a property that cannot be used is told without its value. Raises StreamError."""
    module = kafka()
    try:
        return getattr(module, kind)(values, logger=logger)
    except module.KafkaException as error:
        raise StreamError(f"the settings of the Kafka client cannot be used: {error.args[0].str()}") from None


def topic_id(settings: StreamSettings, properties: Mapping[str, str], logger: logging.Logger) -> str | None:
    """What tells a topic from a later one of its name; None where the broker does not tell."""
    module = kafka()
    admin = importlib.import_module("confluent_kafka.admin").AdminClient(common(settings, properties), logger=logger)
    topics = module.TopicCollection([settings.kafka_topic])
    try:
        described = admin.describe_topics(topics, request_timeout=DESCRIBE_SECONDS)[settings.kafka_topic].result(DESCRIBE_SECONDS)
    except (module.KafkaException, TimeoutError) as error:
        reason = f"no answer within {DESCRIBE_SECONDS:g} s" if isinstance(error, TimeoutError) else error.args[0].str()
        logger.warning(
            "the broker does not tell the id of %s (%s): if it is created again, only its offsets can show it",
            settings.kafka_topic,
            reason,
            extra={"event": "topic_id"},
        )
        return None
    text = str(described.topic_id)
    return None if text == NO_ID else text
