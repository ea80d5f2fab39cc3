"""Lines of the log: one JSON object each whatever they hold, readable on a terminal, and without secrets."""

from __future__ import annotations

import datetime as dt
import io
import json
import logging
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scheduling import log
from scheduling.results import Line

NOW = dt.datetime(2026, 11, 30, 12, tzinfo=dt.timezone.utc)


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def kept_log() -> Iterator[None]:
    """The log as it was."""
    before = log.log.handlers[:], log.log.level, log.log.propagate
    yield
    log.log.handlers[:], level, log.log.propagate = before
    log.log.setLevel(level)


def written(stream: io.StringIO, *lines: Line) -> list[str]:
    log.start_log(stream, lambda: NOW)
    for line in lines:
        log.write(line)
    return stream.getvalue().split("\n")[:-1]


@given(st.text(), st.dictionaries(st.text(), st.none() | st.text() | st.integers()))
def test_whatever_a_line_holds_it_is_one_object_on_one_line(message: str, values: dict[str, str | int | None]) -> None:
    [text] = written(io.StringIO(), Line(logging.INFO, "poll", message, values))
    assert text.isascii()
    assert text.isprintable()
    document = json.loads(text)
    assert (document["time"], document["level"], document["event"]) == ("2026-11-30T12:00:00.000Z", "info", "poll")


def test_values_stand_beside_the_message() -> None:
    [text] = written(
        io.StringIO(), Line(logging.WARNING, "poll", "100% done", {"new_plays": 3, "next_at": NOW, "event": "other"})
    )
    assert json.loads(text) == {
        "time": "2026-11-30T12:00:00.000Z",
        "level": "warning",
        "event": "poll",
        "message": "100% done",
        "new_plays": 3,
        "next_at": "2026-11-30T12:00:00.000Z",
    }


def test_a_terminal_gets_text_that_cannot_move_its_cursor() -> None:
    [usual, warning] = written(
        Terminal(), Line(logging.INFO, "poll", "3 new plays"), Line(logging.WARNING, "x", "a\x1b[2Jb\nc\u202ed")
    )
    local = f"{NOW.astimezone():%Y-%m-%d %H:%M:%S}"
    assert usual == f"{local} 3 new plays"
    assert warning == f"{local} warning: a [2Jb c d"


@pytest.mark.parametrize(
    "text",
    [
        "GET https://ws.audioscrobbler.com/2.0/?method=x&api_key=planted0123456789&limit=200",
        "{'refresh_token': 'planted0123456789', 'scope': 's'}",
        '{"access_token": "planted0123456789"}',
        "Authorization: Bearer planted0123456789",
        "Authorization: Token planted0123456789-abc",
        "the key is planted/in+environment",
        "in an address: planted%2Fin%2Benvironment",
    ],
)
@pytest.mark.parametrize("stream", [io.StringIO, Terminal])
def test_no_secret_passes(text: str, stream: type[io.StringIO], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LASTFM_API_KEY", "planted/in+environment")
    [line] = written(stream(), Line(logging.ERROR, "said", text, {"reason": text}))
    assert "planted" not in line
    assert "hidden" in line


def test_usual_words_are_not_taken_for_secrets() -> None:
    text = "spotify_api a1 (anna): failed: the token was not renewed: HTTP 503; exit code=3"
    [line] = written(Terminal(), Line(logging.ERROR, "said", text))
    assert line.endswith(text)
