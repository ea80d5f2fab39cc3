"""`lakehouse stream` against librdkafka's mock broker: the command and the class. The real broker is in tests/kafka."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from lakehouse.settings import PROJECT_ROOT
from streaming import client
from streaming.errors import LandingError, StreamError, TopicChangedError
from streaming.landed import Landed
from streaming.log import log
from streaming.places import PartitionPlace, partitions_in
from streaming.settings import StreamSettings
from streaming.stream import Stream
from tests.live.kafka_mock import MockBroker, mock_broker
from tests.streaming.files import is_anna, message


@pytest.fixture
def broker() -> Iterator[MockBroker]:
    with mock_broker() as running:
        yield running


class Reader:
    """Reads the topic of a broker into an inbox, in this process."""

    def __init__(self, broker: MockBroker, inbox: Path, **values: Any) -> None:
        settings = {"kafka_servers": broker.servers, "kafka_batch_seconds": 0.2}
        self.settings, self.inbox = StreamSettings(**(settings | values)), inbox
        self._groups = 0

    def stream(self, **options: Any) -> Stream:
        return Stream(self.settings, self.inbox, is_anna, lambda: None, **options)

    def consumer(self, stream: Stream) -> Any:
        return client.consumer(self.settings, {}, log, stream.on_error)

    def once(self, **options: Any) -> int:
        """Read to the end; returns how many messages were landed. Its group is new: the mock keeps members that have left."""
        self._groups += 1
        self.settings = self.settings.model_copy(update={"kafka_group": f"group-{self._groups}"})
        stream = self.stream(once=True, **options)
        stream.run(self.consumer(stream))
        return stream.messages

    def committed(self, partition: int = 0) -> int:
        """The offset that the last group committed; below 0 for none."""
        module = client.kafka()
        asked = [module.TopicPartition(self.settings.kafka_topic, partition)]
        consumer = self.consumer(self.stream())
        try:
            return int(consumer.committed(asked, 10)[0].offset)
        finally:
            consumer.close()


def ranges(inbox: Path) -> list[tuple[int, int, int, int]]:
    """Partition, epoch, first and last offset of each file."""
    return [(one.partition, file.epoch, file.first, file.last) for one in partitions_in(inbox) for file in Landed(one).files()]


def until(condition: Callable[[], Any]) -> None:
    end = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < end, "it did not happen within 30 s"
        time.sleep(0.05)


def test_messages_are_landed_then_committed_and_the_next_start_goes_on_behind_them(broker: MockBroker, tmp_path: Path) -> None:
    reader = Reader(broker, tmp_path)
    broker.send(message(0), message(1), b"hello")
    broker.send(message(2), partition=2)
    assert (reader.once(), reader.committed(), reader.committed(2)) == (4, 3, 1)
    broker.send(message(3))
    # A group that has committed nothing, as after a kill between a file and its commit: the files decide.
    assert reader.once() == 1
    assert ranges(tmp_path) == [(0, 1, 0, 2), (0, 1, 3, 3), (2, 1, 0, 0)]


def test_a_full_disk_stops_and_commits_nothing(broker: MockBroker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    reader = Reader(broker, tmp_path)
    broker.send(message(0))
    whole = os.write

    def full(handle: int, content: Any) -> int:
        if bytes(content[:2]) == b"\x1f\x8b":
            raise OSError(errno.ENOSPC, "No space left on device")
        return whole(handle, content)

    with monkeypatch.context() as patched:
        patched.setattr(os, "write", full)
        with pytest.raises(LandingError, match=r"No space left on device.*nothing was committed; make room"):
            reader.once()
    assert (reader.committed() < 0, ranges(tmp_path)) == (True, [])
    assert (reader.once(), reader.committed()) == (1, 1)


def test_a_topic_that_ends_before_what_is_landed_stops_until_a_person_says_otherwise(broker: MockBroker, tmp_path: Path) -> None:
    broker.send(*[message(number) for number in range(3)])
    assert Reader(broker, tmp_path).once() == 3
    with mock_broker() as emptied:
        emptied.send(message(7))
        reader = Reader(emptied, tmp_path)
        with pytest.raises(TopicChangedError, match=r"truncated or created again.*--resume-anyway"):
            reader.once()
        assert (ranges(tmp_path), reader.committed() < 0) == ([(0, 1, 0, 2)], True)
        assert reader.once(resume_anyway=True) == 1
        emptied.send(message(8))
        assert reader.once() == 1
    assert ranges(tmp_path) == [(0, 1, 0, 2), (0, 2, 0, 0), (0, 2, 1, 1)]


def test_two_consumers_share_the_partitions_and_hand_them_over(broker: MockBroker, tmp_path: Path) -> None:
    """A long batch: what the first one has in hand is landed when the second one joins."""
    reader = Reader(broker, tmp_path, kafka_batch_seconds=600)
    streams = [reader.stream(), reader.stream()]
    threads = [threading.Thread(target=one.run, args=(reader.consumer(one),), daemon=True) for one in streams]
    for partition in range(4):
        broker.send(message(partition), partition=partition)
    threads[0].start()
    until(lambda: streams[0]._waiting() == 4)
    assert ranges(tmp_path) == []
    threads[1].start()
    until(lambda: len(ranges(tmp_path)) == 4)
    until(lambda: all(len(one._owned) == 2 for one in streams))
    for partition in range(4):
        broker.send(message(10 + partition), partition=partition)
    until(lambda: sum(one._waiting() for one in streams) == 4)
    for one, thread in zip(streams, threads, strict=True):
        one.stop()
        thread.join(30)
    assert ranges(tmp_path) == [(number, 1, offset, offset) for number in range(4) for offset in (0, 1)]


def test_a_lost_partition_is_read_again_by_its_next_owner(broker: MockBroker, tmp_path: Path) -> None:
    reader = Reader(broker, tmp_path, kafka_batch_seconds=600)
    stream = reader.stream()
    broker.send(message(0))
    consumer = reader.consumer(stream)
    consumer.subscribe(["listens"], on_assign=stream._assigned, on_revoke=stream._revoked, on_lost=stream._lost)
    end = time.monotonic() + 30
    while not stream._waiting():
        assert time.monotonic() < end
        stream._step(consumer)
    stream._lost(consumer, [client.kafka().TopicPartition("listens", 0)])
    stream._land(consumer)
    consumer.close()
    assert ranges(tmp_path) == []
    assert reader.once() == 1


def test_a_refusal_that_only_a_person_can_mend_ends_the_stream(broker: MockBroker, tmp_path: Path) -> None:
    reader = Reader(broker, tmp_path)
    stream = reader.stream()
    consumer = reader.consumer(stream)
    stream.on_error(client.kafka().KafkaError(client.kafka().KafkaError._AUTHENTICATION, "wrong password"))
    with pytest.raises(StreamError, match="refuses this client"):
        stream.run(consumer)


def command(*words: str, **settings: str) -> subprocess.Popen[str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("LAKEHOUSE_")}
    environment = kept | {"PYTHONPATH": str(PROJECT_ROOT)} | settings
    pipes: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen([sys.executable, str(PROJECT_ROOT / "run_pipeline.py"), *words], env=environment, **pipes)


def test_sigterm_lands_what_is_in_hand_also_without_a_broker(broker: MockBroker, tmp_path: Path) -> None:
    landing = tmp_path / "landing"
    (landing / "listeners" / "anna").mkdir(parents=True)
    settings = {"LAKEHOUSE_KAFKA_SERVERS": broker.servers, "LAKEHOUSE_STATE_DIR": str(tmp_path / "state")}
    broker.send(message(0))
    process = command("stream", "--landing", str(landing), "--lakehouse", str(tmp_path / "lake"), **settings)
    assert process.stderr is not None
    lines = []
    for line in process.stderr:
        lines.append(json.loads(line))
        if lines[-1]["event"] == "assigned":
            break
    broker.send(message(1))
    time.sleep(2)
    broker.stop()
    time.sleep(0.5)
    process.send_signal(signal.SIGTERM)
    began = time.monotonic()
    _, err = process.communicate(timeout=40)
    assert (process.returncode, time.monotonic() - began < 30) == (0, True)
    events = [json.loads(line)["event"] for line in err.splitlines()]
    assert events.count("landed") == 1 and events[-1] == "stopped"
    assert Landed(PartitionPlace(landing / "_api", "listens", 0)).reach().last == 1


def test_without_the_client_the_remedy_is_told(tmp_path: Path) -> None:
    """As after a plain install, without the extra."""
    (tmp_path / "confluent_kafka.py").write_text("raise ImportError('not installed')")
    process = command("stream", PYTHONPATH=f"{tmp_path}{os.pathsep}{PROJECT_ROOT}")
    _, err = process.communicate(timeout=60)
    assert (process.returncode, "pip install" in err, "[kafka]" in err, "Traceback" in err) == (2, True, True, False)


def test_without_servers_the_setting_is_named(tmp_path: Path) -> None:
    process = command("stream", LAKEHOUSE_KAFKA_SERVERS="", LAKEHOUSE_LANDING=str(tmp_path), LAKEHOUSE_STATE_DIR=str(tmp_path))
    _, err = process.communicate(timeout=60)
    assert (process.returncode, "LAKEHOUSE_KAFKA_SERVERS" in err, "Traceback" in err) == (1, True, False)
