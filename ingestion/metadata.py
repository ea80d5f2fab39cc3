"""Metadata files: answers of live sources about tracks, albums and artists, as polling writes them into the inbox.

A file holds answers of one source and one kind, each with what it is about, and null for what the source does not know.
"""

from __future__ import annotations

import datetime as dt
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO, Any

from ingestion.history import encodable
from ingestion.json_list import read_json
from lakehouse.declare import BrokenFileError, Sample
from music.metadata import METADATA_FORMAT

HEAD = re.compile(r'\s*\{\s*"format"\s*:\s*"([^"]*)"\s*,\s*"kind"\s*:\s*"([^"]*)"')


@dataclass(frozen=True)
class MetadataAnswer:
    """One answer of a metadata file."""

    source: str
    kind: str
    about: dict[str, Any]
    """what was asked for, such as track_id or artist_name"""
    fetched_at: dt.datetime
    """the source's date"""
    answer: Any
    """the whole answer; None where the source does not know what was asked for"""


def kind_of(sample: Sample) -> str | None:
    """The kind of answers that a metadata file holds; None for another file."""
    head = HEAD.match(sample.text)
    return head[2] if head is not None and head[1] == METADATA_FORMAT else None


def read_answers(stream: IO[bytes]) -> Iterator[MetadataAnswer]:
    """The answers of a metadata file, in order. Raises BrokenFileError and NotUtf8Error."""
    document = read_json(stream)
    try:
        source, kind, answers = document["source"], document["kind"], document["answers"]
        for one in answers:
            fetched_at = dt.datetime.fromisoformat(one["server_date"].replace("Z", "+00:00"))
            yield MetadataAnswer(source, kind, dict(one["about"]), fetched_at.astimezone(dt.timezone.utc), one["answer"])
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise BrokenFileError(f"not a whole metadata file: {error!r}: restore it from a backup") from error


def text(value: Any) -> str | None:
    """A text that is not blank; None for anything else."""
    return encodable(value) if isinstance(value, str) and value.strip() else None


def number(value: Any) -> float | None:
    """A finite number, also one that is written as text; None for anything else."""
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return None
    try:
        found = float(value)
    except (ValueError, OverflowError):
        return None
    return found if math.isfinite(found) else None


def whole_number(value: Any) -> int | None:
    """A number without a fraction that 64 bits hold; None for anything else."""
    found = number(value)
    return int(found) if found is not None and found.is_integer() and abs(found) < 2**53 else None


def listed(value: Any) -> list[dict[str, Any]]:
    """The objects of a list; a single item may stand without a list."""
    items = [value] if isinstance(value, dict) else value if isinstance(value, list) else []
    return [item for item in items if isinstance(item, dict)]
