"""The format of stream files: what streaming writes into the inbox, and ingestion reads from there.

The first line says which messages the file holds; then comes a line for each message, in their order: the listen as it was sent,
or why the message was refused, and its bytes.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Any

from lakehouse.settings import is_person
from music.populations import is_synthetic_id

KAFKA_LISTENS = "kafka_listens"
STREAM_FORMAT = "listening-lakehouse/stream/1"
STREAM_HEAD = ("format", "source", "topic", "topic_id", "partition", "epoch", "first", "last", "messages", "offsets", "refused")
"""The fields of the first line, in their order; `offsets` is null where no offset is missing between the first and the last."""
LISTEN, REFUSED, RAW = "listen", "refused", "raw"
"""The fields of a line: either the listen, or the reason and the bytes as base64."""
SYNTHETIC_ID = re.compile(r"synthetic:[0-9]{6,12}")


def listener_in(listen: Any) -> str | None:
    """The listener that a message names, in Unicode's form NFC; None where it names none, or one that nobody can be."""
    name = listen.get("user_id") if isinstance(listen, dict) else None
    if not isinstance(name, str):
        return None
    name = name if name.isascii() else unicodedata.normalize("NFC", name)
    if is_synthetic_id(name):
        return name if SYNTHETIC_ID.fullmatch(name) else None
    return name if is_person(name) and _is_text(name) else None


def _is_text(name: str) -> bool:
    """JSON may escape half a surrogate pair, which no table can hold."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True
