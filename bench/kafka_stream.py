"""`lakehouse stream` on a real Kafka broker: is a message lost or doubled over stops and kills, and how fast is it?

    python bench/kafka_stream.py [--messages 100000] [--interruptions 10] [--pairs 5] [--folder DIR]

First, the command is stopped (SIGTERM) and killed (SIGKILL) in turn while messages keep coming, and bronze and silver are
compared with what was sent. Then its rate is compared with that of a consumer that only reads and commits, in turn, over one
topic.
Needs `python scripts/setup.py --kafka`. Exit code 1: a requirement is missed.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import random
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from deltalake import DeltaTable  # noqa: E402

from streaming import client  # noqa: E402
from streaming.landed import Landed  # noqa: E402
from streaming.log import log  # noqa: E402
from streaming.places import partitions_in  # noqa: E402
from streaming.settings import StreamSettings  # noqa: E402
from streaming.stream import Stream  # noqa: E402
from tests.kafka.broker import broker, make_topic, missing  # noqa: E402

SEED, START = 7, 1_700_000_000
LEAST_RATIO = 0.5
MOST_STOP_SECONDS = 30.0
READ_AT_ONCE = 10_000


def listen(number: int) -> bytes:
    """A listen of its own title and minute, as a player sends it."""
    names = {"track_name": f"Tide {number}", "artist_name": f"Artist {number % 500}", "album_name": f"Album {number % 900}"}
    lengths = {"ms_played": 180_000 + number % 60_000, "duration_ms": 240_000, "platform": "some player 4.2"}
    return json.dumps({"user_id": "me", "listened_at": START + number * 260, **names, **lengths}).encode()


def produce(servers: str, topic: str, numbers: range, seconds: float = 0.0) -> None:
    """Send listens, spread over so many seconds."""
    producer = client.kafka().Producer({"bootstrap.servers": servers, "linger.ms": 20, "enable.idempotence": True})
    began = time.monotonic()
    for sent, number in enumerate(numbers):
        while True:
            try:
                producer.produce(topic, listen(number), key=str(number).encode())
                break
            except BufferError:
                producer.poll(0.1)
        if sent % 500 == 0:
            producer.poll(0)
            time.sleep(max(0.0, began + seconds * sent / len(numbers) - time.monotonic()))
    if producer.flush(60):
        raise RuntimeError("not all listens were delivered")


class Timed:
    """A consumer that notes when it was given partitions, and when it last committed."""

    def __init__(self, consumer: Any) -> None:
        self._consumer, self.began, self.ended = consumer, 0.0, 0.0

    def subscribe(self, topics: list[str], on_assign: Any, **others: Any) -> None:
        def assigned(consumer: Any, partitions: Any) -> None:
            self.began = time.perf_counter()
            on_assign(consumer, partitions)

        self._consumer.subscribe(topics, on_assign=assigned, **others)

    def commit(self, **values: Any) -> Any:
        answer = self._consumer.commit(**values)
        self.ended = time.perf_counter()
        return answer

    def __getattr__(self, name: str) -> Any:
        return getattr(self._consumer, name)


def bare_seconds(settings: StreamSettings, messages: int) -> float:
    """How long a consumer takes that only reads and commits."""
    module = client.kafka()
    values = {**client.common(settings, {}), "group.id": settings.kafka_group, "enable.auto.commit": False}
    consumer = Timed(module.Consumer({**values, "auto.offset.reset": "earliest"}))
    consumer.subscribe([settings.kafka_topic], on_assign=lambda *_: None)
    read, due, offsets = 0, 0, dict[int, int]()
    while read < messages:
        for message in consumer.consume(READ_AT_ONCE, 0.5):
            offsets[message.partition()] = message.offset() + 1
            read, due = read + 1, due + 1
        if due >= settings.kafka_batch_messages or read == messages:
            wanted = [module.TopicPartition(settings.kafka_topic, number, offset) for number, offset in offsets.items()]
            consumer.commit(offsets=wanted, asynchronous=False)
            due = 0
    consumer.close()
    return consumer.ended - consumer.began


def stream_seconds(settings: StreamSettings, inbox: Path, messages: int) -> float:
    """How long the stream takes for the same."""
    stream = Stream(settings, inbox, lambda name: name == "me", lambda: client.topic_id(settings, {}, log), once=True)
    consumer = Timed(client.consumer(settings, {}, log, stream.on_error))
    stream.run(consumer)
    if stream.messages != messages:
        raise RuntimeError(f"{stream.messages} messages instead of {messages}")
    return consumer.ended - consumer.began


def rates(servers: str, folder: Path, messages: int, pairs: int) -> bool:
    """Print both rates; whether the stream's is at least half of the bare one's."""
    make_topic(servers, "rates")
    produce(servers, "rates", range(messages))
    ratios = []
    for pair in range(pairs + 1):
        groups = [StreamSettings(kafka_servers=servers, kafka_topic="rates", kafka_group=f"{kind}-{pair}") for kind in "ab"]
        bare, ours = bare_seconds(groups[0], messages), stream_seconds(groups[1], folder / f"inbox-{pair}", messages)
        # The first pair warms up the broker's page cache and the interpreter.
        if pair:
            ratios.append(bare / ours)
            sys.stdout.write(f"pair {pair}: bare {messages / bare:,.0f}/s, stream {messages / ours:,.0f}/s, {bare / ours:.2f}\n")
    median = statistics.median(ratios)
    sys.stdout.write(f"rate: median {median:.2f} of a bare consumer's, {min(ratios):.2f} to {max(ratios):.2f}\n")
    return median >= LEAST_RATIO


class Lakehouse:
    """Folders of its own, and the command in processes of its own."""

    def __init__(self, folder: Path, servers: str) -> None:
        self.landing, self.root = folder / "landing", folder / "lakehouse"
        self.landing.mkdir(parents=True)
        own = {name: value for name, value in os.environ.items() if not name.startswith("LAKEHOUSE_")}
        self.environment = own | {
            "PYTHONPATH": str(ROOT),
            "LAKEHOUSE_STATE_DIR": str(folder / "state"),
            "LAKEHOUSE_KAFKA_SERVERS": servers,
            "LAKEHOUSE_KAFKA_TOPIC": "kills",
            "LAKEHOUSE_KAFKA_BATCH_MESSAGES": "1000",
            "LAKEHOUSE_KAFKA_BATCH_SECONDS": "1",
        }
        self.log = (folder / "stream.log").open("wb")

    def start(self, *words: str) -> subprocess.Popen[bytes]:
        places = ["--landing", str(self.landing), "--lakehouse", str(self.root)]
        command = [sys.executable, str(ROOT / "run_pipeline.py"), *words, *places]
        return subprocess.Popen(command, env=self.environment, cwd=self.landing.parent, stdout=self.log, stderr=self.log)  # noqa: S603

    def landed(self) -> list[tuple[int, int, int]]:
        """Partition, first and last offset of each file."""
        places = partitions_in(self.landing / "_api")
        return [(place.partition, file.first, file.last) for place in places for file in Landed(place).files()]

    def messages(self) -> int:
        return sum(last - first + 1 for _, first, last in self.landed())


def interrupted(lakehouse: Lakehouse, messages: int, times: int) -> Iterator[tuple[str, float]]:
    """Start the stream again and again, and end it once it has landed more; yields how, and the seconds it took to end."""
    chance = random.Random(SEED)  # noqa: S311
    for turn in range(times):
        process, before = lakehouse.start("stream"), lakehouse.messages()
        wanted = before + chance.randrange(1, messages // times)
        while lakehouse.messages() < min(wanted, messages) and process.poll() is None:
            time.sleep(0.02)
        time.sleep(chance.random() / 4)
        number = (signal.SIGTERM, signal.SIGKILL)[turn % 2]
        process.send_signal(number)
        began = time.monotonic()
        code = process.wait(60)
        if code != (0 if number == signal.SIGTERM else -signal.SIGKILL):
            raise RuntimeError(f"the stream ended with {code}; its log: {lakehouse.log.name}")
        yield number.name, time.monotonic() - began


def kills(servers: str, folder: Path, messages: int, times: int) -> bool:
    """Print what became of the messages; whether each is in bronze and silver once."""
    make_topic(servers, "kills", partitions=3)
    lakehouse = Lakehouse(folder, servers)
    # A start takes two seconds, and messages have to come while it reads.
    sender = threading.Thread(target=produce, args=(servers, "kills", range(messages), 4.0 * times))
    sender.start()
    stops = []
    for name, seconds in interrupted(lakehouse, messages, times):
        sys.stdout.write(f"{name}: ended in {seconds:.1f} s, {lakehouse.messages():,} messages landed\n")
        stops.append(seconds)
    sender.join()
    if lakehouse.start("stream", "--once").wait(300):
        raise RuntimeError(f"the last stream failed; its log: {lakehouse.log.name}")
    ranges = lakehouse.landed()
    overlaps = sum(one[0] == two[0] and two[1] <= one[2] for one, two in itertools.pairwise(ranges))
    if lakehouse.start("run", "--only", "silver.plays", "--engine", "embedded").wait(600):
        raise RuntimeError(f"the run failed; its log: {lakehouse.log.name}")
    bronze = DeltaTable(lakehouse.root / "bronze" / "listening_history").to_pyarrow_table(columns=["track_name"])
    plays = DeltaTable(lakehouse.root / "silver" / "plays").to_pyarrow_table(columns=["track_name", "disposition"])
    titles, kept = Counter(bronze.column("track_name").to_pylist()), Counter(plays.column("disposition").to_pylist())
    sent = {f"Tide {number}" for number in range(messages)}
    missing_titles, doubled = sent - set(titles), sum(number > 1 for number in titles.values())
    sys.stdout.write(
        f"kills: {messages:,} sent, {times} interruptions, {len(ranges)} files, {overlaps} overlap; "
        f"bronze {bronze.num_rows:,} rows ({len(missing_titles)} missing, {doubled} doubled); "
        f"silver {plays.num_rows:,} rows, {kept['kept']:,} kept; "
        f"longest stop {max(stops):.1f} s\n"
    )
    is_once = not missing_titles and not doubled and bronze.num_rows == plays.num_rows == kept["kept"] == messages
    return is_once and not overlaps and max(stops) < MOST_STOP_SECONDS


def main() -> int:
    """Both measurements on a broker of their own."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--messages", type=int, default=100_000)
    parser.add_argument("--interruptions", type=int, default=10)
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--folder", type=Path)
    options = parser.parse_args()
    if reason := missing():
        sys.stderr.write(f"error: {reason}\n")
        return 2
    with tempfile.TemporaryDirectory(prefix="kafka-stream-", dir=options.folder) as scratch:
        folder = Path(scratch)
        with broker(folder / "broker") as running:
            is_right = kills(running.servers, folder / "kills", options.messages, options.interruptions)
            is_fast = rates(running.servers, folder / "rates", options.messages, options.pairs)
    return 0 if is_right and is_fast else 1


if __name__ == "__main__":
    sys.exit(main())
