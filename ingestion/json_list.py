"""Reading a file that is one JSON list of objects, as Spotify writes them."""

from __future__ import annotations

import fnmatch
import json
import re
from collections.abc import Callable, Sequence
from typing import IO, Any

from lakehouse.declare import SAMPLE_BYTES, BrokenFileError, NotUtf8Error, Sample

# A string, and the colon that makes it a key; one that the sample cuts off is matched too, so that no text is tried twice.
STRING = re.compile(r'"((?:[^"\\]|\\.)*)(?:"(\s*:)?|\\?\Z)', re.DOTALL)


LONGEST_CHARACTER = 4


def is_list(text: str) -> bool:
    """Whether a file that begins with the text begins like a list of objects."""
    return re.match(r"\ufeff?\s*\[\s*\{", text) is not None


def keys_in(sample: Sample) -> set[str]:
    """Names of JSON keys in the sample of a file that begins like a list of objects; empty for any other file."""
    if not is_list(sample.text):
        return set()
    return {name for name, colon in STRING.findall(sample.text) if colon}


def is_spoilt(sample: Sample, names: Sequence[str]) -> bool:
    """Whether a file has one of the names (fnmatch patterns, in any case) and holds no JSON list, or only the start of one."""
    name = re.split("[/!]", sample.name)[-1].lower()
    if not any(fnmatch.fnmatchcase(name, pattern.lower()) for pattern in names):
        return False
    if len(sample.text.encode()) >= SAMPLE_BYTES - LONGEST_CHARACTER:
        # The sample may be the start of a longer file, cut within a character.
        return re.match(r"\ufeff?\s*\[", sample.text) is None
    try:
        return not isinstance(json.loads(sample.text.removeprefix("\ufeff")), list)
    except (ValueError, RecursionError):
        return True


def object_keys_in(sample: Sample) -> set[str]:
    """Names of JSON keys in the sample of a file that begins like an object or a list; empty for any other file."""
    if not re.match(r"\ufeff?\s*(\[\s*)*\{", sample.text):
        return set()
    return {name for name, colon in STRING.findall(sample.text) if colon}


def read_json_list(stream: IO[bytes], parse_float: Callable[[str], Any] | None = None) -> list[Any]:
    """The list's elements in order. Raises NotUtf8Error, and BrokenFileError for JSON that ends early or is no list."""
    records = read_json(stream, parse_float)
    if not isinstance(records, list):
        raise BrokenFileError("not a list of plays")
    return records


def read_json(stream: IO[bytes], parse_float: Callable[[str], Any] | None = None) -> Any:
    """The file's one JSON value. Raises NotUtf8Error for other bytes, and BrokenFileError for JSON that ends early."""
    try:
        return json.loads(stream.read().decode("utf-8-sig"), parse_float=parse_float)
    except UnicodeDecodeError as error:
        raise NotUtf8Error(f"not UTF-8 at byte {error.start}: save it as UTF-8, or download it again") from error
    except json.JSONDecodeError as error:
        place = f"not valid JSON at line {error.lineno}, column {error.colno}: {error.msg}"
        raise BrokenFileError(f"{place}: {_remedy(error)}") from error
    except RecursionError as error:
        raise BrokenFileError("JSON nested too deeply") from error
    except ValueError as error:
        raise BrokenFileError(f"not valid JSON: {error}") from error


def _remedy(error: json.JSONDecodeError) -> str:
    if error.msg == "Extra data":
        return "several lists in one file? Put in the files that they came from"
    return "download the file again"
