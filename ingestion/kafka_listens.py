"""Listens that arrived as messages of a Kafka topic, in the files that `lakehouse stream` writes into the inbox.

A message names its listener and the start of the play; its format is in streaming/listen.schema.json. Messages that name no
listener of this lakehouse stay in the file, and become no rows. A producer may send one listen again, and may send the end of a
play as its start, as scrobblers do.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from functools import cache
from typing import IO, Any, Literal
from zoneinfo import available_timezones

import pyarrow as pa

from ingestion import history
from ingestion.history_source import HistorySource
from ingestion.scrobbles import SCROBBLE
from ingestion.synthetic import SYNTHETIC
from ingestion.text_lines import blocks_of_lines
from lakehouse.declare import BrokenFileError, Sample
from music.populations import is_synthetic_id
from music.stream_files import KAFKA_LISTENS, LISTEN, STREAM_FORMAT, STREAM_HEAD, listener_in

HEAD = re.compile(rf'\{{"format": "{re.escape(STREAM_FORMAT)}", "source": "{KAFKA_LISTENS}"')
TEXTS = ("track_uri", "track_name", "artist_name", "album_name", "platform")
NAMES = {name: name for name in ("source_kind", "user_id", "timezone", "ts", "ms_played", "track_ms", *TEXTS)}
LONGEST_NUMBER = 100


def _whole(digits: str) -> Any:
    # Python refuses to convert thousands of digits.
    return int(digits) if len(digits) <= LONGEST_NUMBER else digits


# A number stays the text that it was: a float would shorten the seconds of a time.
decode = json.JSONDecoder(parse_float=str, parse_int=_whole).decode


class KafkaListens:
    """Messages of one partition, in the order of their offsets. What a producer generated is of the kind of generated plays."""

    name = KAFKA_LISTENS
    target = "listening_history"
    kinds = (SCROBBLE, SYNTHETIC)
    rank_in_kind = 10
    has_scrobbler_ts = True
    is_received: Literal[True] = True

    def recognises(self, sample: Sample) -> bool:
        return HEAD.match(sample.text) is not None

    def read(self, stream: IO[bytes], listener: str) -> Iterator[pa.RecordBatch]:
        """One row per message that names a listener of the lakehouse. Raises BrokenFileError where the file is not whole."""
        head: Mapping[str, Any] = {}
        messages = 0
        for first, block in blocks_of_lines(stream):
            lines = [_parsed(line, number) for number, line in enumerate(block.removesuffix("\n").split("\n"), start=first)]
            if first == 1:
                head = _checked_head(lines.pop(0) if lines else {})
            messages += len(lines)
            rows = [_row(line[LISTEN]) for line in lines if LISTEN in line]
            if rows:
                yield history.batch(rows, NAMES, {})
        if messages != head.get("messages"):
            raise BrokenFileError(f"it ends after {messages} messages, before its first line says: restore it from a backup")


def _parsed(line: str, number: int) -> dict[str, Any]:
    try:
        value = decode(line)
    except RecursionError as error:
        raise BrokenFileError(f"JSON nested too deeply at line {number}") from error
    except ValueError as error:
        raise BrokenFileError(f"line {number} is damaged: {error}: restore it from a backup") from error
    if not isinstance(value, dict):
        raise BrokenFileError(f"line {number} is damaged: no object: restore it from a backup")
    return value


def _checked_head(head: Mapping[str, Any]) -> Mapping[str, Any]:
    if tuple(head) != STREAM_HEAD:
        raise BrokenFileError("its first line is not that of a stream file: restore it from a backup")
    return head


def _row(listen: Any) -> dict[str, Any]:
    """The listen's fields by our names. Without the fields that the schema requires, it has no names, and is quarantined."""
    user_id = listener_in(listen)
    if user_id is None:
        raise BrokenFileError("a message names no listener: restore the file from a backup")
    return {
        "source_kind": SYNTHETIC.name if is_synthetic_id(user_id) else SCROBBLE.name,
        "user_id": user_id,
        "timezone": _zone(listen.get("timezone")),
        "ts": listen.get("listened_at"),
        "ms_played": listen.get("ms_played"),
        "track_ms": listen.get("duration_ms"),
        **_identity(listen),
    }


def _identity(listen: Mapping[str, Any]) -> dict[str, Any]:
    texts = {name: listen.get(name) for name in TEXTS}
    if any(not isinstance(text, (str, type(None))) for text in texts.values()):
        return {}
    is_named = bool(texts["track_name"] and texts["artist_name"])
    return texts if is_named or texts["track_uri"] else {"platform": texts["platform"]}


def _zone(name: Any) -> str | None:
    return name if isinstance(name, str) and name in _zones() else None


@cache
def _zones() -> set[str]:
    return available_timezones() - {"localtime", "Factory"}


SOURCES: tuple[HistorySource, ...] = (KafkaListens(),)
