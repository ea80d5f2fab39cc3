"""Sending listens to the topic, keyed by listener, so that the listens of one stay in order."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from streaming.client import common, kafka, made
from streaming.errors import StreamError
from streaming.settings import StreamSettings

FLUSH_SECONDS = 60.0
# How often somebody who waits hears of it.
TOLD_EVERY = 10_000


def send(
    settings: StreamSettings,
    properties: Mapping[str, str],
    listens: Iterable[Mapping[str, Any]],
    logger: logging.Logger,
    sent: Callable[[int], None],
) -> int:
    """Send listens (streaming/listen.schema.json), and return their number once the brokers have all of them.

    `sent` is called now and then with the number so far. Raises StreamError; some listens may have been delivered then.
    """
    module = kafka()
    # Idempotent: what the client itself sends again is not in the topic twice.
    values = {**common(settings, properties), "enable.idempotence": True, "linger.ms": 50, "compression.type": "zstd"}
    producer = made("Producer", values, logger)
    failed: list[str] = []

    def delivered(error: Any, message: Any) -> None:
        if error is not None:
            failed.append(error.str())

    number = 0
    for listen in listens:
        value = json.dumps(listen, ensure_ascii=False).encode()
        while not failed:
            try:
                producer.produce(settings.kafka_topic, value=value, key=listen["user_id"].encode(), on_delivery=delivered)
                break
            except BufferError:
                producer.poll(0.1)
        if failed:
            break
        number += 1
        if number % TOLD_EVERY == 0:
            producer.poll(0)
            sent(number)
    left = producer.flush(FLUSH_SECONDS)
    if failed or left:
        reason = failed[0] if failed else f"no answer within {FLUSH_SECONDS:g} s"
        raise StreamError(
            f"{number - left - len(failed)} of {number} listens were delivered, then not: {reason}; sending them again is safe, "
            "as a listen that comes twice counts once"
        )
    del module
    return number
