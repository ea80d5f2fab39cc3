"""Settings, the private properties file, and who is known: what is refused, and that no message holds a secret."""

from __future__ import annotations

import io
import json
import logging
from pathlib import Path

import pytest
from pydantic import ValidationError

from polling.files import write_file
from streaming.errors import StreamError
from streaming.listeners import REFRESH_SECONDS, KnownListeners, find_listeners
from streaming.log import say, start_log
from streaming.properties import read_properties, redaction
from streaming.settings import StreamSettings

SECRET = "planted-secret-0011223344"  # noqa: S105


def private(tmp_path: Path, *lines: str) -> Path:
    path = tmp_path / "kafka.properties"
    write_file(path, "\n".join(lines).encode())
    return path


@pytest.mark.parametrize("servers", ["kafka", "kafka:x", "http://kafka:9092", "a:1,,b:2", "user:password@kafka:9092"])
def test_addresses_that_cannot_be_used_are_refused(servers: str) -> None:
    assert (
        StreamSettings(kafka_servers="kafka-1.example.org:9092, [::1]:9093").kafka_servers
        == "kafka-1.example.org:9092,[::1]:9093"
    )
    with pytest.raises(ValidationError):
        StreamSettings(kafka_servers=servers)


@pytest.mark.parametrize("topic", ["", "..", "a/b", "a b", "x" * 250])
def test_topics_that_cannot_be_are_refused(topic: str) -> None:
    assert StreamSettings(kafka_topic="my.listens_2-x").kafka_topic == "my.listens_2-x"
    with pytest.raises(ValidationError):
        StreamSettings(kafka_topic=topic)


def test_properties_are_passed_through(tmp_path: Path) -> None:
    path = private(
        tmp_path, "# of the cluster", "", "security.protocol = SASL_SSL", f"sasl.password={SECRET}=", "sasl.username: anna"
    )
    assert read_properties(path) == {"security.protocol": "SASL_SSL", "sasl.password": f"{SECRET}=", "sasl.username": "anna"}
    assert read_properties(None) == {}


def test_a_file_that_others_may_read_is_refused(tmp_path: Path) -> None:
    path = private(tmp_path, "security.protocol=SSL")
    assert read_properties(path)
    path.chmod(0o640)
    with pytest.raises(StreamError, match="chmod 600"):
        read_properties(path)


@pytest.mark.parametrize(
    "line",
    [
        f"sasl.jaas.config=x password={SECRET}",
        f"bootstrap.servers={SECRET}",
        f"plugin.library.paths={SECRET}",
        f"password {SECRET}",
    ],
)
def test_what_cannot_be_set_is_told_without_its_value(tmp_path: Path, line: str) -> None:
    with pytest.raises(StreamError) as raised:
        read_properties(private(tmp_path, line))
    assert SECRET not in str(raised.value)


def test_the_log_is_json_without_secrets() -> None:
    stream = io.StringIO()
    log = start_log(redaction({"sasl.password": SECRET, "security.protocol": "SASL_SSL"}), stream)
    try:
        say("landed", "3 messages", messages=3)
        log.warning("SASL_SSL failed with %s", SECRET)
    finally:
        logging.getLogger("stream").handlers.clear()
    first, second = (json.loads(line) for line in stream.getvalue().splitlines())
    assert (first["event"], first["messages"], first["level"]) == ("landed", 3, "info")
    assert second["message"] == "SASL_SSL failed with [hidden]"


def test_everybody_of_the_lakehouse_is_known(tmp_path: Path) -> None:
    landing, state = tmp_path / "landing", tmp_path / "state"
    (landing / "listeners" / "ben").mkdir(parents=True)
    state.mkdir()
    (state / "people.json").write_text('{"cleo": {"is_admin": false}}')
    settings = StreamSettings(landing=landing, dir=tmp_path / "none", state_dir=state, user="anna")
    assert find_listeners(settings) == {"anna", "ben", "cleo"}


def test_allowed_names_and_patterns_are_known() -> None:
    known = KnownListeners(set, ["dora", "synthetic:*"])
    assert [known.knows(name) for name in ("dora", "synthetic:000001", "mallory", "dora2")] == [True, True, False, False]


def test_somebody_who_is_added_is_known_soon() -> None:
    names, now = {"anna"}, [0.0]
    known = KnownListeners(lambda: names, [], lambda: now[0])
    assert known.knows("anna") and not known.knows("ben")
    names.add("ben")
    assert not known.knows("ben")
    now[0] += REFRESH_SECONDS
    assert known.knows("ben")
