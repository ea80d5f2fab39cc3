"""Bodies that come too slowly, or are too many at once, are to be sent again; nobody else notices."""

from __future__ import annotations

import http.client
import json
import socket
from collections.abc import Iterator
from typing import Any

import pytest

from bench.submissions import head_of
from service.api_tokens import SUBMIT, issue
from service.submissions.bodies import Bodies
from service.submissions.routes import Door
from service.submissions.writer import Writer
from tests.service.serving import Serving

BODY = b'{"listen_type": "single", "payload": [{"listened_at": 1700000000, "track_metadata": {"track_name": "Tide"}}]}'
MOST_HELD = 2000


@pytest.fixture(scope="module")
def serving(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    with Serving(tmp_path_factory.mktemp("service")) as started:
        started.app.state.door = Door(Writer(started.settings.inbox_folder), Bodies(MOST_HELD, seconds=0.5))
        yield started


@pytest.fixture(scope="module")
def token(serving: Serving) -> str:
    return issue(serving.settings.state_dir, "anna", SUBMIT, "a player")


def begun(serving: Serving, token: str, length: int, content: bytes) -> socket.socket:
    """A connection on which a request has begun."""
    connection = socket.create_connection(("127.0.0.1", serving.port), 20)
    connection.sendall(head_of(token, length) + content)
    return connection


def answered(connection: socket.socket) -> tuple[int, Any]:
    answer = http.client.HTTPResponse(connection)
    answer.begin()
    return answer.status, json.loads(answer.read())


def test_a_slow_player_is_told_to_send_it_again(serving: Serving, token: str) -> None:
    with begun(serving, token, len(BODY), BODY[:10]) as slow, begun(serving, token, len(BODY), BODY) as quick:
        assert answered(quick) == (200, {"status": "ok"})
        status, document = answered(slow)
        assert (status, document["code"]) == (503, 503)


def test_more_than_memory_is_granted_for_is_to_be_sent_later(serving: Serving, token: str) -> None:
    large = BODY + b" " * MOST_HELD
    with begun(serving, token, len(large), large) as connection:
        status, document = answered(connection)
        assert (status, document["code"]) == (503, 503)
    with begun(serving, token, len(BODY), BODY) as connection:
        assert answered(connection)[0] == 200


def test_a_player_that_goes_away_amid_a_body_holds_nothing(serving: Serving, token: str) -> None:
    for _ in range(5):
        begun(serving, token, 1900, BODY + b" " * 800).close()
    with begun(serving, token, len(BODY), BODY) as connection:
        assert answered(connection)[0] == 200
