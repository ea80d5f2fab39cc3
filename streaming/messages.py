"""What becomes of a message: a line of a stream file that holds the listen, or why it was refused."""

from __future__ import annotations

import base64
import json
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from music.stream_files import LISTEN, OFFSET, RAW, REFUSED, TIMESTAMP, listener_in

EMPTY, NOT_JSON, NOT_OBJECT = "no content", "not JSON", "not a JSON object"
NO_LISTENER, UNKNOWN_LISTENER = "no listener", "unknown listener"
REASONS = (EMPTY, NOT_JSON, NOT_OBJECT, NO_LISTENER, UNKNOWN_LISTENER)
# A listen has a handful. JSON that nests deeper than a parser goes would make a file unreadable.
MOST_BRACKETS = 400
decode = json.JSONDecoder().decode
# JSON may have line ends between its values, and cannot have them within.
TO_ONE_LINE = bytes.maketrans(b"\r\n", b"  ")


@dataclass
class Batch:
    """The messages of one partition that are not landed yet, as lines."""

    offsets: list[int] = field(default_factory=list)
    lines: list[bytes] = field(default_factory=list)
    size: int = 0
    reasons: dict[int, str] = field(default_factory=dict)
    """of the refused ones, by offset"""

    def add(self, offset: int, timestamp: int, value: bytes | None, is_known: Callable[[str], bool]) -> None:
        """Take in a message; its offset is higher than those before."""
        reason = refusal(value, is_known)
        if reason is None:
            assert value is not None  # noqa: S101
            text = value.translate(TO_ONE_LINE) if b"\n" in value or b"\r" in value else value
            line = b'{"%s": %d, "%s": %d, "%s": %s}\n' % (_OFFSET, offset, _TIMESTAMP, timestamp, _LISTEN, text)
        else:
            self.reasons[offset] = reason
            raw = base64.b64encode(value or b"").decode()
            line = json.dumps({OFFSET: offset, TIMESTAMP: timestamp, REFUSED: reason, RAW: raw}).encode("ascii") + b"\n"
        self.offsets.append(offset)
        self.lines.append(line)
        self.size += len(line)

    def after(self, offset: int) -> Batch:
        """The messages behind an offset."""
        kept = [(one, line) for one, line in zip(self.offsets, self.lines, strict=True) if one > offset]
        reasons = {one: reason for one, reason in self.reasons.items() if one > offset}
        return Batch([one for one, _ in kept], [line for _, line in kept], sum(len(line) for _, line in kept), reasons)

    def refused(self) -> dict[str, int]:
        """How many were refused, by reason."""
        return dict(sorted(Counter(self.reasons.values()).items()))


def refusal(value: bytes | None, is_known: Callable[[str], bool]) -> str | None:
    """Why a message is no listen of this lakehouse; None where it is one, or claims to be: silver judges the rest."""
    if not value:
        return EMPTY
    try:
        if value.count(b"{") + value.count(b"[") > MOST_BRACKETS:
            return NOT_OBJECT
        listen = decode(value.decode("utf-8"))
    except (ValueError, RecursionError):
        return NOT_JSON
    if not isinstance(listen, dict):
        return NOT_OBJECT
    name = listener_in(listen)
    if name is None:
        return NO_LISTENER
    return None if is_known(name) else UNKNOWN_LISTENER


_OFFSET, _TIMESTAMP, _LISTEN = (name.encode() for name in (OFFSET, TIMESTAMP, LISTEN))
