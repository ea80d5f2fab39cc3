"""The messages that were refused, from the files of the inbox that hold them."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from music.stream_files import LISTEN, OFFSET, RAW, REFUSED, TIMESTAMP
from streaming.landed import Landed
from streaming.places import partitions_in


def refused_messages(inbox: Path) -> Iterator[dict[str, Any]]:
    """Topic, partition, offset, time, reason and content of each, in the order of the offsets. Raises StreamError and OSError."""
    for place in partitions_in(inbox):
        for file in Landed(place).files():
            lines = file.lines()
            head = next(lines, {})
            if not head.get(REFUSED):
                continue
            for line in lines:
                if LISTEN not in line:
                    content = base64.b64decode(line[RAW]).decode("utf-8", "backslashreplace")
                    yield {
                        "topic": place.topic,
                        "partition": place.partition,
                        "epoch": file.epoch,
                        "offset": line[OFFSET],
                        "timestamp": line[TIMESTAMP],
                        "reason": line[REFUSED],
                        "content": content,
                    }
