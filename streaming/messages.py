"""What becomes of messages: lines of a stream file that hold the listens, or why a message was refused."""

from __future__ import annotations

import base64
import json
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.json as pj

from music.stream_files import LISTEN, RAW, REFUSED, listener_in

EMPTY, NOT_JSON, NOT_OBJECT = "no content", "not JSON", "not a JSON object"
NO_LISTENER, UNKNOWN_LISTENER = "no listener", "unknown listener"
# A listen has a handful. JSON that nests deeper than a parser goes would make a file unreadable.
MOST_BRACKETS = 400
BEGIN, END = b'{"%s": ' % LISTEN.encode(), b"}\n"
HEARD = pa.schema([(LISTEN, pa.struct([("user_id", pa.string())]))])
# No line may be longer.
BLOCK_BYTES = 8 * 2**20
# JSON may have line ends between its values, and cannot have them within.
TO_ONE_LINE = bytes.maketrans(b"\r\n", b"  ")
decode = json.JSONDecoder().decode
IsKnown = Callable[[str], bool]


@dataclass
class Batch:
    """Messages of one partition that are not landed yet, in the order of their offsets."""

    offsets: list[int] = field(default_factory=list)
    values: list[bytes | None] = field(default_factory=list)

    def after(self, offset: int) -> Batch:
        """The messages behind an offset."""
        first = sum(one <= offset for one in self.offsets)
        return Batch(self.offsets[first:], self.values[first:])

    def is_complete(self) -> bool:
        """Whether no offset is missing, as it is in topics that are compacted or written by transactions."""
        return self.offsets[-1] - self.offsets[0] + 1 == len(self.offsets)


@dataclass(frozen=True)
class Lines:
    """The messages as lines of a file."""

    body: bytes
    refused: dict[str, int]
    """how many messages were refused, by reason"""


def lines_of(messages: Sequence[bytes | None], is_known: IsKnown) -> Lines:
    """Each message as a line, in their order."""
    raw = [message or b"" for message in messages]
    values, body = raw, _body(raw)
    if body.count(b"\n") > len(raw) or b"\r" in body:
        values = [value.translate(TO_ONE_LINE) for value in raw]
        body = _body(values)
    if are_listens(body, values, is_known):
        return Lines(body, {})
    reasons = [refusal(value, is_known) for value in raw]
    lines = [
        BEGIN + value + END if reason is None else _refused(sent, reason)
        for value, sent, reason in zip(values, raw, reasons, strict=True)
    ]
    return Lines(b"".join(lines), dict(sorted(Counter(reason for reason in reasons if reason is not None).items())))


def _body(values: Sequence[bytes]) -> bytes:
    return BEGIN + (END + BEGIN).join(values) + END


def are_listens(body: bytes, values: Sequence[bytes], is_known: IsKnown) -> bool:
    """Whether all messages are listens, seen at once: a parser in C reads a batch in the time that json takes for a tenth of it.

    Between two messages stands `}` and then `{`, which JSON has only between two values of their own. So if the whole can be
    parsed, each message is a value or several; and if there are as many values as messages, it is one.
    """
    # Each line has a bracket of its own, and one of its listen.
    if _brackets(body) > MOST_BRACKETS + 2 * len(values) and any(_brackets(value) > MOST_BRACKETS for value in values):
        return False
    reading = pj.ReadOptions(block_size=BLOCK_BYTES, use_threads=False)
    options = pj.ParseOptions(explicit_schema=HEARD, unexpected_field_behavior="ignore")
    try:
        # The parser does not check it.
        body.decode("utf-8")
        listens = pj.read_json(pa.BufferReader(body), reading, options).column(LISTEN)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError, UnicodeDecodeError):
        return False
    if len(listens) != len(values):
        return False
    names = pc.unique(pc.struct_field(listens, "user_id")).to_pylist()
    return all(_is_listener({"user_id": name}, is_known) for name in names)


def refusal(value: bytes, is_known: IsKnown) -> str | None:
    """Why a message is no listen of this lakehouse; None where it is one, or claims to be: silver judges the rest."""
    if not value.strip():
        return EMPTY
    try:
        if _brackets(value) > MOST_BRACKETS:
            return NOT_OBJECT
        listen = decode(value.decode("utf-8"))
    except (ValueError, RecursionError):
        return NOT_JSON
    if not isinstance(listen, dict):
        return NOT_OBJECT
    if listener_in(listen) is None:
        return NO_LISTENER
    return None if _is_listener(listen, is_known) else UNKNOWN_LISTENER


def _brackets(text: bytes) -> int:
    return text.count(b"{") + text.count(b"[")


def _is_listener(listen: object, is_known: IsKnown) -> bool:
    name = listener_in(listen)
    return name is not None and is_known(name)


def _refused(value: bytes, reason: str) -> bytes:
    return json.dumps({REFUSED: reason, RAW: base64.b64encode(value).decode()}).encode("ascii") + b"\n"
