"""A broker without Java: librdkafka's own, in the process of the test. It has no topic ids and keeps nothing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from confluent_kafka import Producer


class MockBroker:
    """Topics come into being when they are asked for, with four partitions."""

    def __init__(self) -> None:
        self.producer: Any = Producer({"test.mock.num.brokers": "1", "bootstrap.servers": "none"})
        brokers = self.producer.list_topics(timeout=10).brokers.values()
        self.servers = ",".join(f"{broker.host}:{broker.port}" for broker in brokers)

    def stop(self) -> None:
        """The broker is gone then."""
        self.producer = None

    def send(self, *values: bytes, topic: str = "listens", partition: int = 0) -> None:
        for value in values:
            self.producer.produce(topic, value, partition=partition)
        assert self.producer.flush(10) == 0


@contextmanager
def mock_broker() -> Iterator[MockBroker]:
    """The broker ends with its client."""
    broker = MockBroker()
    yield broker
    broker.stop()
