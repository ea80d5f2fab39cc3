"""Taking SQL text apart at its semicolons, which may also stand in literals, quoted names and comments."""

from __future__ import annotations

import re
from dataclasses import dataclass

PIECE = re.compile(
    r"""(?P<text>'(?:[^']|'')*(?P<text_end>')?)|(?P<name>"(?:[^"]|"")*(?P<name_end>")?)"""
    r"""|(?P<line>--[^\n]*)|(?P<block>/\*(?:.*?(?P<block_end>\*/)|.*))|(?P<end>;)|[^'"/;-]+|.""",
    re.DOTALL,
)


@dataclass(frozen=True)
class Statements:
    """Complete statements without their semicolons, and what follows the last of them."""

    complete: list[str]
    rest: str

    @property
    def all(self) -> list[str]:
        """With the rest as the last statement, if it says anything."""
        return [*self.complete, *([self.rest] if self.rest else [])]


def split(text: str) -> Statements:
    """Take the text apart; a literal, name or comment that does not end makes all that follows the rest."""
    complete: list[str] = []
    current: list[str] = []
    # Comments alone are no statement.
    has_words = False
    for piece in PIECE.finditer(text):
        if piece["end"]:
            if has_words:
                complete.append("".join(current).strip())
            current, has_words = [], False
            continue
        current.append(piece[0])
        has_words = has_words or not (piece["line"] or piece["block"] or piece[0].isspace())
    rest = "".join(current).strip() if has_words else ""
    return Statements(complete, rest)
