"""`lakehouse stream` against a real Kafka broker: kills, hand-over, topics that change, logging in, and the producers."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from deltalake import DeltaTable

from bench.kafka_stream import kills
from lakehouse.settings import PROJECT_ROOT
from polling.files import write_file
from streaming import client
from streaming.landed import Landed
from streaming.places import partitions_in
from tests.kafka.broker import IS_CI, PASSWORD, USER, Broker, admin, broker, make_topic, missing, remove_topic
from tests.landing_files import extended
from tests.streaming.files import message


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    """Without Java or the jars it skips, and fails under CI=true."""
    if reason := missing():
        if IS_CI:
            pytest.fail(reason)
        pytest.skip(reason)
    with broker(tmp_path_factory.mktemp("broker")) as one:
        yield one


class Lake:
    """Folders of a test's own, with `anna` as listener, and the commands in processes of their own."""

    def __init__(self, folder: Path, servers: str, topic: str) -> None:
        self.folder, self.topic, self.servers = folder, topic, servers
        self.landing, self.root = folder / "landing", folder / "lakehouse"
        (self.landing / "listeners" / "anna").mkdir(parents=True)
        self.settings = {
            "LAKEHOUSE_KAFKA_SERVERS": servers,
            "LAKEHOUSE_KAFKA_TOPIC": topic,
            "LAKEHOUSE_STATE_DIR": str(folder / "state"),
            "LAKEHOUSE_DIR": str(self.root),
        }

    def say(self, *words: str, **settings: str) -> subprocess.CompletedProcess[str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("LAKEHOUSE_")}
        environment = kept | {"PYTHONPATH": str(PROJECT_ROOT), "ALLOW_SYNTHETIC": "false"} | self.settings | settings
        program = [sys.executable, str(PROJECT_ROOT / "run_pipeline.py"), *words]
        return subprocess.run(program, env=environment, cwd=self.folder, capture_output=True, text=True, timeout=120, check=False)

    def once(self, *words: str, **settings: str) -> subprocess.CompletedProcess[str]:
        return self.say("stream", "--once", "--landing", str(self.landing), *words, **settings)

    def build(self) -> list[dict[str, Any]]:
        """The rows of silver.plays after a run."""
        said = self.say("run", "--landing", str(self.landing), "--only", "silver.plays", "--engine", "embedded")
        assert said.returncode == 0, said.stderr
        rows: list[dict[str, Any]] = DeltaTable(self.root / "silver" / "plays").to_pyarrow_table().to_pylist()
        return rows

    def ranges(self) -> list[tuple[int, int, int]]:
        """Epoch, first and last offset of each file."""
        places = partitions_in(self.landing / "_api")
        return [(file.epoch, file.first, file.last) for place in places for file in Landed(place).files()]

    def send(self, *values: bytes) -> None:
        producer = client.kafka().Producer({"bootstrap.servers": self.servers})
        for value in values:
            producer.produce(self.topic, value)
        assert producer.flush(30) == 0


def test_stopped_and_killed_each_message_is_one_row(running: Broker, tmp_path: Path) -> None:
    assert kills(running.servers, tmp_path, messages=6_000, times=4)


def test_a_topic_that_was_created_again_stops_until_a_person_says_otherwise(running: Broker, tmp_path: Path) -> None:
    """Also where it has grown beyond what is landed, so that no offset shows it."""
    lake = Lake(tmp_path, running.servers, "again")
    make_topic(running.servers, "again", partitions=1)
    lake.send(message(0), message(1))
    assert lake.once().returncode == 0
    remove_topic(running.servers, "again")
    make_topic(running.servers, "again", partitions=1)
    lake.send(*[message(number) for number in range(10, 15)])
    said = lake.once()
    assert (said.returncode, "deleted and created again" in said.stderr, lake.ranges()) == (1, True, [(1, 0, 1)])
    assert lake.once("--resume-anyway").returncode == 0
    assert lake.ranges() == [(1, 0, 1), (2, 0, 4)]
    assert Counter(row["disposition"] for row in lake.build()) == {"kept": 7}


def test_messages_that_are_gone_before_they_were_read_are_told(running: Broker, tmp_path: Path) -> None:
    lake = Lake(tmp_path, running.servers, "short")
    make_topic(running.servers, "short", partitions=1)
    lake.send(message(0))
    assert lake.once().returncode == 0
    lake.send(*[message(number) for number in range(1, 5)])
    asked = client.kafka().TopicPartition("short", 0, 3)
    own = admin(running.servers)
    for future in own.delete_records([asked]).values():
        future.result(30)
    said = lake.once()
    assert (said.returncode, "offsets 1 to 2" in said.stderr, lake.ranges()) == (1, True, [(1, 0, 0)])
    assert lake.once("--resume-anyway").returncode == 0
    assert lake.ranges() == [(1, 0, 0), (1, 3, 4)]


def test_a_private_file_logs_in_and_is_shown_nowhere(running: Broker, tmp_path: Path) -> None:
    lake = Lake(tmp_path, running.servers, "secret")
    make_topic(running.servers, "secret", partitions=1)
    lake.send(message(0))
    right, wrong = tmp_path / "right.properties", tmp_path / "wrong.properties"
    for path, password in ((right, PASSWORD), (wrong, f"{PASSWORD}-no")):
        login = ["security.protocol=SASL_PLAINTEXT", "sasl.mechanism=PLAIN", f"sasl.username={USER}", f"sasl.password={password}"]
        write_file(path, "\n".join(login).encode())
    servers = {"LAKEHOUSE_KAFKA_SERVERS": running.login_servers}
    refused = lake.once(**servers, LAKEHOUSE_KAFKA_CONFIG=str(wrong))
    assert (refused.returncode, "refuses this client" in refused.stderr) == (1, True)
    said = lake.once(**servers, LAKEHOUSE_KAFKA_CONFIG=str(right))
    assert (said.returncode, lake.ranges()) == (0, [(1, 0, 0)])
    assert PASSWORD not in "".join([refused.stdout, refused.stderr, said.stdout, said.stderr])
    assert not [path for path in lake.landing.rglob("*") if path.is_file() and PASSWORD.encode() in path.read_bytes()]


def test_the_replay_of_an_export_adds_no_play_to_it(running: Broker, tmp_path: Path) -> None:
    lake = Lake(tmp_path, running.servers, "replayed")
    make_topic(running.servers, "replayed")
    plays = [
        extended(ts=f"2024-03-01T{hour:02d}:03:00Z", spotify_track_uri=f"spotify:track:{hour:022d}", ms_played=180_000)
        for hour in range(20)
    ]
    export = lake.landing / "listeners" / "anna" / "Streaming_History_Audio_2024_0.json"
    export.write_text(json.dumps(plays))
    said = lake.say("stream", "--replay", str(export), "--user", "anna")
    assert (said.returncode, "20 listens of anna" in said.stdout) == (0, True), said.stderr
    assert lake.once().returncode == 0
    rows = lake.build()
    assert Counter((row["source_kind"], row["disposition"]) for row in rows) == {
        ("export", "kept"): 20,
        ("scrobble", "duplicate"): 20,
    }


def test_generated_listeners_arrive_as_generated_listeners(running: Broker, tmp_path: Path) -> None:
    lake = Lake(tmp_path, running.servers, "made")
    make_topic(running.servers, "made")
    catalogue = PROJECT_ROOT / "synthetic" / "demo" / "catalogue.csv"
    words = ["--listeners", "3", "--plays", "40", "--catalogue", str(catalogue), "--workers", "1", "--to-kafka"]
    said = lake.say("generate", *words)
    assert said.returncode == 0, said.stderr
    sent = int(said.stdout.split()[0])
    assert lake.once().returncode == 0
    refused = lake.say("stream", "--refused", "--landing", str(lake.landing)).stdout
    assert refused.count("unknown listener") == sent
    lake.settings |= {"LAKEHOUSE_KAFKA_LISTENERS": '["synthetic:*"]', "LAKEHOUSE_KAFKA_GROUP": "other"}
    lake.landing = tmp_path / "other"
    lake.landing.mkdir()
    assert lake.once().returncode == 0
    assert Counter((row["source_kind"], row["disposition"]) for row in lake.build()) == {("synthetic", "kept"): sent}
