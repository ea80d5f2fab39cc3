"""The messages that were refused, from the files of the inbox that hold them."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from music.stream_files import LISTEN, RAW, REFUSED
from streaming.landed import Landed
from streaming.places import partitions_in


def refused_messages(inbox: Path) -> Iterator[dict[str, Any]]:
    """Topic, partition, offset, reason and content of each, in the order of the offsets. Raises StreamError and OSError."""
    for place in partitions_in(inbox):
        for file in Landed(place).files():
            lines = file.lines()
            head = next(lines, {})
            if not head.get(REFUSED):
                continue
            offsets = head["offsets"] or range(head["first"], head["last"] + 1)
            for offset, line in zip(offsets, lines, strict=True):
                if LISTEN not in line:
                    content = base64.b64decode(line[RAW]).decode("utf-8", "backslashreplace")
                    yield {
                        "topic": place.topic,
                        "partition": place.partition,
                        "epoch": file.epoch,
                        "offset": offset,
                        "reason": line[REFUSED],
                        "content": content,
                    }
