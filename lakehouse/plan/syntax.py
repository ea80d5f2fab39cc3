"""What the source text of a module means: its syntax tree without comments, docstrings and formatting, and its imports."""

from __future__ import annotations

import ast
import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

# Raised when the same text is to be hashed otherwise, so that nothing cached before is used.
NORMALISER = 1
# Read or written by the parser only in some Python versions, or without a meaning of their own.
IGNORED_FIELDS = ("ctx", "kind", "type_comment", "type_ignores")
COMMENT_POSITION = 2


class Syntax(NamedTuple):
    """What counts of a module's text."""

    tree: str
    """SHA-256 (hex) of the normalised syntax tree, the same in every supported Python"""
    imports: tuple[str, ...]
    """dotted names that the module imports or may import: `from a import b` gives a and a.b; sorted"""


def syntax_of(source: bytes) -> Syntax:
    """The syntax of a module's text. Raises SyntaxError."""
    tree = ast.parse(source)
    digest = hashlib.sha256("".join(_tokens(tree)).encode()).hexdigest()
    return Syntax(digest, tuple(sorted(_imports(tree))))


def _imports(tree: ast.Module) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return names


def _tokens(node: ast.AST) -> Iterator[str]:
    """The tree as text: node types and field values in order. Absent fields and string statements leave no trace."""
    yield f"({type(node).__name__}"
    for name, value in ast.iter_fields(node):
        if name in IGNORED_FIELDS or value is None:
            continue
        values = [v for v in value if not _is_prose(v)] if isinstance(value, list) else [value]
        if isinstance(node, ast.Call) and _declares_a_column(node):
            values = _without_comment(name, values)
        if values:
            yield f" {name}:"
        for one in values:
            if isinstance(one, ast.AST):
                yield from _tokens(one)
            else:
                # Not repr(): which characters it escapes depends on the Unicode version of the Python.
                yield f" {one!a}"
    yield ")"


def _is_prose(statement: object) -> bool:
    """Whether a statement is a string alone: a docstring, of whatever it follows or begins."""
    return (
        isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant) and isinstance(statement.value.value, str)
    )


def _declares_a_column(call: ast.Call) -> bool:
    return isinstance(call.func, ast.Name) and call.func.id == "column"


def _without_comment(field: str, values: list[object]) -> list[object]:
    """The arguments of `column(name, type, comment, ...)` without the comment, which changes what is told, not what is held."""
    if field == "args":
        return [value for position, value in enumerate(values) if position != COMMENT_POSITION]
    return [value for value in values if not (isinstance(value, ast.keyword) and value.arg == "comment")]


class SyntaxCache:
    """Syntax by the hash of the text, so that each text is parsed once; kept in a file between runs."""

    def __init__(self, file: Path | None = None) -> None:
        self.file = file
        self._known = self._read()
        self._used: dict[str, Syntax] = {}

    def syntax_of(self, source: bytes) -> Syntax:
        """As the function of that name."""
        key = hashlib.sha256(source).hexdigest()
        if key not in self._used:
            self._used[key] = self._known.get(key) or syntax_of(source)
        return self._used[key]

    def _read(self) -> dict[str, Syntax]:
        """What the file holds; nothing where it is missing, damaged, or of another normaliser: it is only a cache."""
        if self.file is None or not self.file.is_file():
            return {}
        try:
            content = json.loads(self.file.read_text("utf-8"))
            if content["normaliser"] != NORMALISER:
                return {}
            return {key: Syntax(tree, tuple(imports)) for key, (tree, imports) in content["syntax"].items()}
        except (ValueError, KeyError, TypeError, AttributeError):
            return {}

    def write(self) -> None:
        """Keep what was used since, if anything is new."""
        if self.file is None or self._used.keys() <= self._known.keys():
            return
        part = self.file.with_suffix(".part")
        part.write_text(json.dumps({"normaliser": NORMALISER, "syntax": self._used}, sort_keys=True), "utf-8")
        part.replace(self.file)
