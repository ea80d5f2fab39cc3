"""Listens that players sent to the door: journals of one listener and hour each, as service/submissions writes them.

A journal is a line that names its listener, and a line for each listen with the time at which it came. What is no listen was
accepted with the others of its batch; it has no values here, so that silver quarantines it. A client may send one listen again,
and may send the end of a play as its start.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import IO, Any, Literal

import pyarrow as pa

from ingestion import history, listenbrainz
from ingestion.history_source import HistorySource
from ingestion.scrobbles import SCROBBLE
from ingestion.text_lines import blocks_of_lines
from lakehouse.declare import BrokenFileError, Sample
from music.envelopes import JOURNAL_FORMAT, JOURNAL_HEAD, JOURNAL_LINE, SUBMITTED_LISTENS

HEAD = re.compile(rf'\{{"{JOURNAL_HEAD[0]}": "{re.escape(JOURNAL_FORMAT)}", "{JOURNAL_HEAD[1]}": "{SUBMITTED_LISTENS}"')
RECEIVED_AT, LISTEN = JOURNAL_LINE
NAMES = {**listenbrainz.NAMES, RECEIVED_AT: RECEIVED_AT}


class SubmittedListens:
    """A journal; its listener is the owner of the token that the player had."""

    name = SUBMITTED_LISTENS
    target = "listening_history"
    kinds = (SCROBBLE,)
    rank_in_kind = 9
    has_scrobbler_ts = True
    is_received: Literal[True] = True

    def recognises(self, sample: Sample) -> bool:
        return HEAD.match(sample.text) is not None

    def read(self, stream: IO[bytes], listener: str) -> Iterator[pa.RecordBatch]:
        """One row a line after the first; a last one that was cut off is none. Raises BrokenFileError for a damaged line."""
        named = ""
        for first, block in blocks_of_lines(stream):
            lines = [_parsed(line, number) for number, line in enumerate(block.split("\n")[:-1], start=first)]
            if first == 1:
                named = _listener(lines.pop(0) if lines else {})
            if lines:
                yield history.batch([_row(line, named) for line in lines], NAMES, {})


def _parsed(line: str, number: int) -> dict[str, Any]:
    try:
        value = json.loads(line, parse_float=str)
    except ValueError as error:
        raise BrokenFileError(f"line {number} is damaged: {error}") from error
    if not isinstance(value, dict):
        raise BrokenFileError(f"line {number} is damaged: not an object")
    return value


def _listener(head: dict[str, Any]) -> str:
    listener = head.get("listener")
    if not isinstance(listener, str) or not listener:
        raise BrokenFileError("line 1 names no listener")
    return listener


def _row(line: dict[str, Any], listener: str) -> dict[str, Any]:
    row = listenbrainz.row_of(line.get(LISTEN), listener)
    return row | {"source_kind": SCROBBLE.name, "user_id": listener, RECEIVED_AT: line.get(RECEIVED_AT)}


SOURCES: tuple[HistorySource, ...] = (SubmittedListens(),)
