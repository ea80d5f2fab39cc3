"""Artists that a file writes as a Python list: `['Earth, Wind & Fire', "Destiny's Child"]`."""

from __future__ import annotations

import ast
import re

import pyarrow as pa
import pyarrow.compute as pc

# Strict, because Python itself would join `['A' 'B']` into one name.
_NAME = r"""(?:'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")"""
_LIST = re.compile(rf"\[\s*(?:{_NAME}(?:\s*,\s*{_NAME})*)?\s*\]", re.DOTALL)
_BEGINNING = r"""^\s*\[\s*(['"]|\]\s*$)"""


def looks_like_list(texts: pa.Array) -> pa.Array:
    """Whether each text begins as a list of quoted names does; `[spunge]` and `[:SITD:]` are names of artists."""
    return pc.match_substring_regex(texts, _BEGINNING)


def names_in(text: str | None) -> list[str] | None:
    """The names of a list, in order; None for any other text, of which no part is certain to be a name."""
    if text is None:
        return None
    text = text.strip()
    # Most lists are this simple: Python writes a name with an apostrophe or a backslash in another form.
    if text[:2] == "['" and text[-2:] == "']" and '"' not in text and "\\" not in text:
        names = text[2:-2].split("', '")
        if not any("'" in name for name in names):
            return names
    if not _LIST.fullmatch(text):
        return None
    try:
        return [str(name) for name in ast.literal_eval(text)]
    except (SyntaxError, ValueError):
        return None


def in_lists(texts: pa.Array) -> pa.Array:
    """Each text's list of names; null where it is none."""
    return pa.array([names_in(text) for text in texts.to_pylist()], pa.list_(pa.string()))


def alone(texts: pa.Array) -> pa.Array:
    """Each text as a list of one name; null where it is null."""
    return pa.array([None if text is None else [text] for text in texts.to_pylist()], pa.list_(pa.string()))


def separated(texts: pa.Array, separator: str, stand_in: str) -> pa.Array:
    """Lists among the texts as names joined by `separator`; inside a name, `stand_in` stands for it. Other texts stay."""
    is_list = pc.fill_null(looks_like_list(texts), False)
    if not pc.any(is_list).as_py():
        return texts
    joined = [
        _joined(names_in(text), separator, stand_in) if listed else text
        for text, listed in zip(texts.to_pylist(), is_list.to_pylist(), strict=True)
    ]
    return pa.array(joined, pa.string())


def _joined(names: list[str] | None, separator: str, stand_in: str) -> str | None:
    return separator.join(name.replace(separator, stand_in) for name in names) if names else None
