"""A real Kafka broker: one KRaft node on loopback, from the jars that `python scripts/setup.py --kafka` fetches."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lakehouse.settings import PROJECT_ROOT

LIBS = PROJECT_ROOT / ".kafka" / "libs"
START_SECONDS = 180
PROPERTIES = """
process.roles=broker,controller
node.id=1
controller.quorum.bootstrap.servers=127.0.0.1:{controller}
listeners=PLAINTEXT://127.0.0.1:{port},SASL://127.0.0.1:{sasl},CONTROLLER://127.0.0.1:{controller}
advertised.listeners=PLAINTEXT://127.0.0.1:{port},SASL://127.0.0.1:{sasl}
controller.listener.names=CONTROLLER
listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,SASL:SASL_PLAINTEXT
sasl.enabled.mechanisms=PLAIN
listener.name.sasl.plain.sasl.jaas.config={login}
log.dirs={data}
offsets.topic.replication.factor=1
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0
log.retention.check.interval.ms=1000
file.delete.delay.ms=1000
"""


LOGIN = 'org.apache.kafka.common.security.plain.PlainLoginModule required user_{user}="{password}";'
USER, PASSWORD = "reader", "planted-password-0011223344"


@dataclass(frozen=True)
class Broker:
    """A running broker, as HOST:PORT."""

    servers: str
    login_servers: str
    """the same, for clients that log in as USER with PASSWORD (SASL_PLAINTEXT, PLAIN)"""


def missing() -> str | None:
    """What keeps a broker from being started here; None where nothing does."""
    if shutil.which("java") is None:
        return "no Java found"
    return None if LIBS.is_dir() else "no Kafka found: python scripts/setup.py --kafka (needs Maven)"


@contextmanager
def broker(folder: Path) -> Iterator[Broker]:
    """Start a broker that keeps its data in the folder; yields it once it answers."""
    folder.mkdir(parents=True, exist_ok=True)
    port, sasl, controller = _free_ports(3)
    properties, ports = folder / "server.properties", {"port": port, "sasl": sasl, "controller": controller}
    properties.write_text(PROPERTIES.format(**ports, data=folder / "data", login=LOGIN.format(user=USER, password=PASSWORD)))
    cluster = _java("kafka.tools.StorageTool", "random-uuid").stdout.split()[-1]
    _java("kafka.tools.StorageTool", "format", "--standalone", "-t", cluster, "-c", str(properties))
    with (folder / "broker.log").open("wb") as log:
        words = ["java", "-Xmx384m", "-XX:+UseSerialGC", "-cp", f"{LIBS}/*", "kafka.Kafka", str(properties)]
        process = subprocess.Popen(words, stdout=log, stderr=log, cwd=folder)
        try:
            _wait(process, port, folder / "broker.log")
            yield Broker(f"127.0.0.1:{port}", f"127.0.0.1:{sasl}")
        finally:
            process.kill()
            process.wait()


def admin(servers: str) -> Any:
    """A client that makes and changes topics."""
    from confluent_kafka.admin import AdminClient

    return AdminClient({"bootstrap.servers": servers})


def make_topic(servers: str, topic: str, partitions: int = 2, **settings: str) -> None:
    """Create a topic, and wait until it is there; `settings` are its own, with `_` for `.`."""
    from confluent_kafka.admin import NewTopic  # type: ignore[attr-defined]

    config = {name.replace("_", "."): value for name, value in settings.items()}
    client = admin(servers)
    for future in client.create_topics([NewTopic(topic, partitions, 1, config=config)]).values():
        future.result(30)
    end = time.monotonic() + 30
    while len(client.list_topics(topic, 10).topics[topic].partitions) < partitions:
        assert time.monotonic() < end, f"{topic} is not there"
        time.sleep(0.1)


def remove_topic(servers: str, topic: str) -> None:
    """Delete a topic, and wait until it is gone."""
    client = admin(servers)
    for future in client.delete_topics([topic]).values():
        future.result(30)
    end = time.monotonic() + 30
    while topic in client.list_topics(timeout=10).topics:
        assert time.monotonic() < end, f"{topic} is still there"
        time.sleep(0.1)


def _java(*words: str) -> subprocess.CompletedProcess[str]:
    command = ["java", "-cp", f"{LIBS}/*", *words]
    return subprocess.run(command, check=True, capture_output=True, text=True)


def _free_ports(number: int) -> list[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(number)]
    try:
        return [one.getsockname()[1] for one in sockets]
    finally:
        for one in sockets:
            one.close()


def _wait(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end:
        if process.poll() is not None:
            raise RuntimeError(f"the broker ended: {log.read_text(errors='replace')[-2000:]}")
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            time.sleep(0.2)
        else:
            return
    raise RuntimeError(f"the broker did not start within {START_SECONDS} s: {log.read_text(errors='replace')[-2000:]}")


# Under CI=true, what set-up promised has to be there.
IS_CI = os.environ.get("CI", "").lower() == "true"
