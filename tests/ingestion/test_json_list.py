"""A JSON export that cannot be read is refused with a reason that says what and where."""

from __future__ import annotations

import contextlib
import io

import pytest

from ingestion.json_list import read_json_list
from lakehouse.declare import BrokenFileError
from tests.landing_files import as_json, extended, read

BROKEN = {
    "cut in half": (as_json([extended(), extended()])[:900], r"not valid JSON at line 1, column \d+"),
    "cut between records": (b'[{"ts": "a"},\n', "not valid JSON at line 2, column 1"),
    "without the last bracket": (b'[{"ts": "a"}\n', "not valid JSON at line 2, column 1"),
    "two lists": (b"[{}]\n[{}]", "not valid JSON at line 2, column 1"),
    "Latin-1": ('[{"ts": "é"}]'.encode("latin-1"), "not UTF-8 at byte 9"),
    "UTF-16": ('[{"ts": "x"}]'.encode("utf-16"), "not UTF-8 at byte 0"),
    "nested deeply": (b"[" * 300_000, "nested too deeply"),
    "objects nested deeply": (b'[{"a":' * 200_000, "nested too deeply"),
    "an object": (b'{"ts": 1}', "not a list of plays"),
    "a number": (b"1", "not a list of plays"),
    "empty": (b"", "not valid JSON at line 1, column 1"),
}


@pytest.mark.parametrize("form", BROKEN)
def test_a_broken_file_says_why_and_where(form: str) -> None:
    content, reason = BROKEN[form]
    with pytest.raises(BrokenFileError, match=reason):
        read_json_list(io.BytesIO(content))


def test_the_reason_holds_nothing_of_the_file() -> None:
    content = as_json([extended(ip_addr="203.0.113.77")])[:-20]
    with pytest.raises(BrokenFileError) as broken:
        read_json_list(io.BytesIO(content))
    assert "203.0.113.77" not in str(broken.value)


def test_a_byte_order_mark_is_no_part_of_the_file() -> None:
    assert read_json_list(io.BytesIO(b"\xef\xbb\xbf[1, 2]")) == [1, 2]


@pytest.mark.parametrize("source", ["spotify_extended", "spotify_account_data"])
def test_a_number_too_long_for_python_breaks_the_file_only(source: str) -> None:
    with pytest.raises(BrokenFileError):
        read(source, b'[{"ts": "2024-03-01T10:03:00Z", "ms_played": ' + b"1" * 5000 + b"}]")


def test_whatever_can_be_parsed_can_be_read() -> None:
    def parses(depth: int) -> bytes | None:
        content = b'[{"ts":' + b"[" * depth + b"]" * depth + b"}]"
        try:
            read_json_list(io.BytesIO(content))
        except BrokenFileError:
            return None
        return content

    low, high = 1, 200_000
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if parses(middle) else (low, middle)
    for depth in range(low - 30, low + 3):
        with contextlib.suppress(BrokenFileError):
            assert len(read("spotify_extended", b'[{"ts":' + b"[" * depth + b"]" * depth + b"}]")) == 1
