"""Poll files: one answer of a source each, with what is new in it, as runs read them from the inbox.

A file is `SEQUENCE-DATE.json.gz` in the folder of its account and month, or `backfill-SEQUENCE-DATE.json.gz`. Numbers rise by
one, so that the state of an account says with one of each kind which files it knows of.
"""

from __future__ import annotations

import datetime as dt
import gzip
import json
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from music.envelopes import ANSWER, FORMAT
from polling.answers import Answer, Item
from polling.files import make_folder, write_file
from polling.places import AccountPlace

BACKFILL = "backfill-"
"""Stands before the number of a file that a backfill wrote."""
GZIP = b"\x1f\x8b"
# Runs take what expands 200 times for a bomb; such an answer is written as it is.
MOST_EXPANDED = 100


class EnvelopeError(Exception):
    """A poll file that cannot be read; the message names it."""


@dataclass(frozen=True)
class Head:
    """What an envelope says of itself."""

    server_date: dt.datetime
    new: tuple[int, ...]
    keys: Mapping[str, dt.datetime | None]
    """of the new items, in the order of `new`"""
    connects: bool


@dataclass(frozen=True)
class Envelope:
    """An answer, whose listener it is about, and its items that no earlier answer of the account held."""

    source: str
    account_id: str
    listener: str
    request: Mapping[str, str]
    server_date: dt.datetime
    new: tuple[int, ...]
    keys: Mapping[str, dt.datetime | None]
    """of the new items, in the order of `new`: key and time, so that the state of an account can be made from its files"""
    connects: bool
    """whether no play is missing between these and those received earlier: the answer is the last one of its poll"""
    answer: Any

    @staticmethod
    def of(answer: Answer, listener: str, new: Sequence[Item], *, connects: bool) -> Envelope:
        """The envelope of an answer."""
        return Envelope(
            source=answer.source,
            account_id=answer.account_id,
            listener=listener,
            request=dict(answer.request),
            server_date=answer.server_date,
            new=tuple(item.position for item in new),
            keys={item.key: item.played_at for item in new},
            connects=connects,
            answer=answer.body,
        )

    def content(self) -> bytes:
        """The file's content before compression: one JSON object, the answer last."""
        document = {
            "format": FORMAT,
            "source": self.source,
            "account_id": self.account_id,
            "listener": self.listener,
            "request": dict(self.request),
            "server_date": as_text(self.server_date),
            "new": list(self.new),
            "keys": {key: played_at and as_text(played_at) for key, played_at in self.keys.items()},
            "connects": self.connects,
            ANSWER: self.answer,
        }
        # ASCII, as an answer may hold half a surrogate pair, which no UTF-8 can hold.
        return json.dumps(document).encode("ascii")


def as_text(moment: dt.datetime) -> str:
    """ISO 8601 in UTC, as short as the moment allows."""
    return moment.astimezone(dt.timezone.utc).isoformat().replace("+00:00", "Z")


def write_envelope(place: AccountPlace, sequence: int, envelope: Envelope, prefix: str = "") -> Path:
    """Write the account's file of that number; returns its path once it is on disk. Raises OSError; nothing is there then.

    `prefix` is BACKFILL for a file of a backfill, whose numbers are its own.
    """
    date = envelope.server_date.astimezone(dt.timezone.utc)
    folder = place.folder / f"{date:%Y-%m}"
    make_folder(folder)
    content = envelope.content()
    packed = gzip.compress(content, mtime=0)
    is_packed = len(packed) * MOST_EXPANDED > len(content)
    path = folder / f"{prefix}{sequence:08d}-{date:%Y%m%dT%H%M%SZ}.json{'.gz' if is_packed else ''}"
    write_file(path, packed if is_packed else content, place.part)
    return path


def read_envelope(path: Path) -> Envelope:
    """The envelope of a poll file. Raises EnvelopeError for a file that is none, and OSError."""
    return parsed(path.read_bytes(), path)


def parsed(raw: bytes, path: Path) -> Envelope:
    """The envelope with this content; `path` is for the message. Raises EnvelopeError for what is none."""
    with _explained(path):
        document = json.loads(_plain(raw))
        if document["format"] != FORMAT:
            raise ValueError(f"its format is {document['format']!r}")
        keys = {key: played_at and dt.datetime.fromisoformat(played_at) for key, played_at in document["keys"].items()}
        return Envelope(
            **{name: document[name] for name in ("source", "account_id", "listener", "request", "connects", ANSWER)},
            server_date=dt.datetime.fromisoformat(document["server_date"]),
            new=tuple(document["new"]),
            keys=keys,
        )


def parsed_head(raw: bytes, path: Path) -> Head:
    """What an envelope says is new, without reading the answer, which is most of it. Raises EnvelopeError."""
    with _explained(path):
        # Within a text, a quotation mark has a backslash before it.
        before, found, _ = _plain(raw).partition(f', "{ANSWER}": '.encode())
        document = json.loads(before + b"}")
        if not found or document["format"] != FORMAT or len(document["new"]) != len(document["keys"]):
            raise ValueError("its beginning is not that of one")
        keys = {key: played_at and dt.datetime.fromisoformat(played_at) for key, played_at in document["keys"].items()}
        return Head(dt.datetime.fromisoformat(document["server_date"]), tuple(document["new"]), keys, document["connects"])


def _plain(raw: bytes) -> bytes:
    return gzip.decompress(raw) if raw.startswith(GZIP) else raw


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    """Turns what is wrong with the content into EnvelopeError."""
    try:
        yield
    except (ValueError, KeyError, TypeError, AttributeError, EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise EnvelopeError(f"{path} is no poll file: {error}; restore it from a backup, or move it away") from error
