"""A message becomes a listen or is refused with a reason, and no message can change what becomes of another."""

from __future__ import annotations

import base64
import json

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lakehouse.settings import PROJECT_ROOT
from streaming.messages import Lines, are_listens, lines_of, refusal
from tests.streaming.files import is_anna, listen, message

GOOD = b'{"user_id": "anna", "track_name": "x"}'


def judged(*values: bytes) -> bool:
    """Whether a batch is seen to be listens without looking at each."""
    body = b"".join(b'{"listen": ' + value + b"}\n" for value in values)
    return are_listens(body, values, is_anna)


def parsed(lines: Lines) -> list[dict[str, object]]:
    return [json.loads(line) for line in lines.body.split(b"\n")[:-1]]


def test_listens_are_kept_as_they_were_sent() -> None:
    lines = lines_of([message(1), message(2, platform="a\u2028b")], is_anna)
    assert parsed(lines) == [{"listen": listen(1)}, {"listen": listen(2, platform="a\u2028b")}]
    assert lines.refused == {}


def test_line_ends_between_values_do_not_end_a_line() -> None:
    lines = lines_of([json.dumps(listen(1), indent=1).encode().replace(b"\n", b"\r\n"), message(2)], is_anna)
    assert parsed(lines) == [{"listen": listen(1)}, {"listen": listen(2)}]


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (None, "no content"),
        (b"", "no content"),
        (b" \n", "no content"),
        (b"hello", "not JSON"),
        (b'{"user_id": "anna"', "not JSON"),
        (b'{"user_id": "anna"} {"user_id": "anna"}', "not JSON"),
        (b'{"user_id": "anna", "track_name": "\xff"}', "not JSON"),
        (b"[" * 100_000, "not a JSON object"),
        (b'[{"user_id": "anna"}]', "not a JSON object"),
        (b"null", "not a JSON object"),
        (b'{"track_name": "x"}', "no listener"),
        (b'{"user_id": 7}', "no listener"),
        (b'{"user_id": "../anna"}', "no listener"),
        (b'{"user_id": "_anna"}', "no listener"),
        (b'{"user_id": "synthetic:x"}', "no listener"),
        (b'{"user_id": "\\ud800"}', "no listener"),
        (b'{"user_id": "mallory"}', "unknown listener"),
        (b'{"user_id": "anna", "user_id": "mallory"}', "unknown listener"),
    ],
)
def test_what_names_no_listener_of_the_lakehouse_is_refused_whole(value: bytes | None, reason: str) -> None:
    lines = lines_of([GOOD, value, GOOD], is_anna)
    first, refused, last = parsed(lines)
    assert first == last == {"listen": json.loads(GOOD)}
    assert refused == {"refused": reason, "raw": base64.b64encode(value or b"").decode()}
    assert lines.refused == {reason: 1}


@pytest.mark.parametrize(
    "values",
    [
        (b'{"user_id":"anna"}} {"listen": {"user_id":"anna"}', b""),
        (b'{"user_id":"anna"}} {"listen": {"user_id":"anna"}', b'{"user_id":', b'"anna"}'),
        (b'{"user_id":"anna"}, "listen": {"user_id":"mallory"}', GOOD),
        (b'{"user_id":"mallory"}, "listen": {"user_id":"anna"}', GOOD),
        (b'{"user_id":"anna","a":{', b"}}", GOOD),
        (b'{"user_id":"anna","a":"', b'"}', GOOD),
        (b'{"user_id":"anna","a":[', b"]}", GOOD),
        (b'{"user_id":"mallory","user_id":"anna"}', GOOD),
    ],
)
def test_messages_that_pass_for_others_are_looked_at_one_by_one(values: tuple[bytes, ...]) -> None:
    assert judged(*[GOOD] * len(values))
    assert not judged(*values)
    kept = [line["listen"] for line in parsed(lines_of(values, is_anna)) if "listen" in line]
    assert kept == [json.loads(value) for value in values if refusal(value, is_anna) is None]


pieces = st.sampled_from(
    [
        *[
            "{",
            "}",
            "[",
            "]",
            ",",
            ":",
            " ",
            "\\",
            '"',
            "\t",
            "0",
            "01",
            "-1.5e9",
            "1e999",
            "NaN",
            "null",
            "true",
            "\\ud800",
            "é",
        ],
        *['"user_id"', '"anna"', '"mallory"', '"a"', '{"user_id": "anna"}', '"user_id": "anna"', '{"listen": ', "}} "],
    ]
)
texts = st.lists(pieces, max_size=8).map("".join).map(str.encode)
near_listens = st.lists(pieces, max_size=4).map(lambda some: b'{"user_id": "anna", "a": ' + "".join(some).encode() + b"}")


@settings(deadline=None)
@given(st.lists(st.one_of(texts, near_listens, st.just(GOOD)), min_size=1, max_size=4))
def test_both_ways_of_judging_agree(values: list[bytes]) -> None:
    """What is seen at once to be listens is so one by one, and every line can be read again."""
    if judged(*values):
        assert [refusal(value, is_anna) for value in values] == [None] * len(values)
    lines = parsed(lines_of(values, is_anna))
    assert len(lines) == len(values)
    assert sum("refused" in line for line in lines) == sum(refusal(value, is_anna) is not None for value in values)


def is_valid(value: dict[str, object]) -> bool:
    schema = json.loads((PROJECT_ROOT / "streaming" / "listen.schema.json").read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    return bool(jsonschema.Draft202012Validator(schema).is_valid(value))


def test_the_schema_says_what_is_taken() -> None:
    assert is_valid(listen()) and is_valid(listen(user_id="synthetic:000001"))
    assert is_valid(listen(track_name=None, artist_name=None, track_uri="spotify:track:1"))
    assert is_valid(listen(listened_at="2026-11-30T10:00:00Z", extra={"a": 1}))
    for changes in (
        {"user_id": "../anna"},
        {"user_id": "synthetic:x"},
        {"listened_at": None},
        {"artist_name": None},
        {"ms_played": -1},
    ):
        assert not is_valid(listen(**changes)), changes
