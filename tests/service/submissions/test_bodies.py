"""What a body may be, and what is kept of the listens in it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from service.submissions.listens import MOST_LISTEN_BYTES, MOST_LISTENS, UnreadableError, parsed

LISTEN = {"listened_at": 1_795_986_245, "track_metadata": {"artist_name": "Vega", "track_name": "Tide"}}


def body(*listens: Any, listen_type: Any = "import", **others: Any) -> bytes:
    return json.dumps({"listen_type": listen_type, "payload": list(listens), **others}).encode()


@pytest.mark.parametrize("listen_type", ["single", "import", "playing_now"])
def test_each_type_is_read(listen_type: str) -> None:
    found = parsed(body(LISTEN, listen_type=listen_type))
    assert found.listen_type == listen_type
    assert found.listens[0]["track_metadata"]["track_name"] == "Tide"


def test_a_byte_order_mark_is_passed_over() -> None:
    assert len(parsed(b"\xef\xbb\xbf" + body(LISTEN)).listens) == 1


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "cannot parse"),
        (b"<html>", "cannot parse"),
        (b"\xff\xfe{}", "cannot parse"),
        (b"[" * 100_000, "nested too deeply"),
        (b'{"payload":' * 100_000, "nested too deeply"),
        (b"9" * 5000, "cannot parse"),
        (b"[]", "any listens"),
        (b"5", "any listens"),
        (body(), "any listens"),
        (json.dumps({"listen_type": "single", "payload": LISTEN}).encode(), "any listens"),
        (body(LISTEN, listen_type="loved"), "listen_type"),
        (body(LISTEN, listen_type=None), "listen_type"),
        (body(LISTEN, listen_type=["single"]), "listen_type"),
        (body(*[LISTEN] * (MOST_LISTENS + 1)), "more than 1000"),
        (body({**LISTEN, "more": "x" * MOST_LISTEN_BYTES}), "too large"),
    ],
)
def test_a_body_without_listens_is_refused_with_the_reason(content: bytes, reason: str) -> None:
    with pytest.raises(UnreadableError, match=reason):
        parsed(content)


def test_the_largest_batch_is_read() -> None:
    assert len(parsed(body(*[LISTEN] * MOST_LISTENS)).listens) == MOST_LISTENS


def test_of_other_fields_nothing_is_kept() -> None:
    info = {"duration_ms": 201_000, "ip": "203.0.113.77", "device": {"name": "Anna's phone"}, "isrc": ["ZZX012400001", 5, {}]}
    sent = {**LISTEN, "user_name": "x", "track_metadata": {**LISTEN["track_metadata"], "additional_info": info, "more": 1}}
    [kept] = parsed(body(sent)).listens
    assert kept == {
        "listened_at": 1_795_986_245,
        "track_metadata": {
            "artist_name": "Vega",
            "track_name": "Tide",
            "additional_info": {"duration_ms": 201_000, "isrc": ["ZZX012400001"]},
        },
    }


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999", "1" + "0" * 400])
def test_what_is_no_usable_number_is_left_out(number: str) -> None:
    content = body(LISTEN | {"listened_at": "@"}).replace(b'"@"', number.encode())
    assert parsed(content).listens[0]["listened_at"] is None
