"""Poll files: answers of live sources in envelopes, as polling writes them. Only what is new in an answer becomes rows.

The envelope names the listener, whatever account or name the answer holds.
"""

from __future__ import annotations

import re
from typing import IO, Any

from ingestion.json_list import read_json
from lakehouse.declare import BrokenFileError, Sample
from music.envelopes import ANSWER, FORMAT

HEAD = re.compile(r'\s*\{\s*"format"\s*:\s*"([^"]*)"\s*,\s*"source"\s*:\s*"([^"]*)"')


def source_of(sample: Sample) -> str | None:
    """The live source whose answer an envelope holds; None for a file that is no envelope."""
    head = HEAD.match(sample.text)
    return head[2] if head is not None and head[1] == FORMAT else None


def is_envelope(sample: Sample) -> bool:
    """Whether the file is a poll file: the answer in it is not read without its envelope."""
    return source_of(sample) is not None


def read_envelope(stream: IO[bytes]) -> tuple[str, Any, list[int]]:
    """Listener, answer and positions of what is new in it, ascending. Raises BrokenFileError and NotUtf8Error."""
    envelope = read_json(stream)
    try:
        listener, answer, new = envelope["listener"], envelope[ANSWER], envelope["new"]
        if not isinstance(listener, str) or not listener or not all(type(position) is int for position in new):
            raise ValueError("listener and positions are not what they should be")
    except (KeyError, TypeError, ValueError) as error:
        raise BrokenFileError(f"not a whole poll file: {error}: restore it from a backup") from error
    return listener, answer, sorted(set(new))


def items_at(items: Any, positions: list[int]) -> list[Any]:
    """The items of an answer's list at the positions. Raises BrokenFileError where there is no such item."""
    # An answer with one item may hold it without a list.
    listed = [items] if isinstance(items, dict) else items
    if not isinstance(listed, list) or any(not 0 <= position < len(listed) for position in positions):
        raise BrokenFileError("not a whole poll file: an item is missing that should be new: restore it from a backup")
    return [listed[position] for position in positions]


def at_path(answer: Any, *path: str) -> Any:
    """A value within nested objects; None where one of them is missing."""
    for name in path:
        answer = answer.get(name) if isinstance(answer, dict) else None
    return answer
