"""The stream: messages of a topic become files of the inbox, and their offsets are committed once the files are on disk."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from streaming.bounded import Bounded
from streaming.client import kafka
from streaming.errors import StreamError, TopicChangedError
from streaming.landed import Landed
from streaming.landing import PartitionLanding
from streaming.log import say, warn
from streaming.messages import Batch
from streaming.places import PartitionPlace
from streaming.positions import Held, Known, position
from streaming.settings import StreamSettings
from streaming.writer import Writer

# A call of the client lasts so long if less comes than it asks for.
WAIT_SECONDS = 0.1
ASK_SECONDS = 10.0
# With what a batch takes to write, these end a stream within 30 s of a signal, also where no broker answers.
COMMIT_SECONDS = CLOSE_SECONDS = 7.0
# More than what a batch of small messages has; it bounds memory where they are large.
MOST_BYTES = 64 * 2**20
MOST_AT_ONCE = 10_000
NOTICE_SECONDS = 60.0
# Nothing but a person can mend these.
REFUSED = (
    "_AUTHENTICATION",
    "TOPIC_AUTHORIZATION_FAILED",
    "GROUP_AUTHORIZATION_FAILED",
    "CLUSTER_AUTHORIZATION_FAILED",
    "SASL_AUTHENTICATION_FAILED",
    "INVALID_GROUP_ID",
)


@dataclass
class Owned:
    """A partition that this consumer reads."""

    landing: PartitionLanding
    next_offset: int
    batch: Batch = field(default_factory=Batch)
    is_at_end: bool = False


class Stream:
    """Reads a topic until it is stopped."""

    def __init__(
        self,
        settings: StreamSettings,
        inbox: Path,
        is_known: Callable[[str], bool],
        topic_id: Callable[[], str | None],
        *,
        resume_anyway: bool = False,
        once: bool = False,
    ) -> None:
        self.settings, self.inbox, self.topic = settings, inbox, settings.kafka_topic
        self._writer = Writer(inbox)
        self._is_known, self._topic_id = is_known, topic_id
        self._resume_anyway, self._once = resume_anyway, once
        self._owned: dict[int, Owned] = {}
        self._since: float | None = None
        self._bytes = 0
        """of the messages that are not landed yet, and one for each"""
        self._is_stopped = self._is_rebalanced = self._is_assigned = False
        self._bounded = Bounded()
        self._noticed: dict[str, float] = {}
        self._failure: StreamError | OSError | None = None

    @property
    def messages(self) -> int:
        """Landed so far."""
        return self._writer.messages

    def stop(self) -> None:
        """End after the messages in hand are landed. May be called by a signal handler."""
        self._is_stopped = True

    def run(self, consumer: Any) -> None:
        """Read until `stop` is called, or with `once` until the end of every partition. Raises StreamError and OSError."""
        consumer.subscribe([self.topic], on_assign=self._assigned, on_revoke=self._revoked, on_lost=self._lost)
        try:
            while not self._is_stopped and not (self._once and self._is_at_end()):
                self._step(consumer)
            self._land(consumer)
        except BaseException:
            self._owned.clear()
            raise
        finally:
            self._writer.close()
            if error := self._bounded.call(consumer.close, CLOSE_SECONDS):
                warn("close", f"the group was not left in order: {error}")

    def on_error(self, error: Any) -> None:
        """What librdkafka tells of its connections; it goes on trying."""
        if error.name() in REFUSED or error.fatal():
            self._failure = self._failure or StreamError(f"Kafka refuses this client: {error.str()}")
        else:
            self._notice("connection", error.name(), error.str())

    def _step(self, consumer: Any) -> None:
        left = self.settings.kafka_batch_messages - self._waiting()
        received = consumer.consume(min(left, MOST_AT_ONCE), WAIT_SECONDS)
        if self._failure is not None:
            raise self._failure
        if self._is_rebalanced:
            # What this call brought is of the assignment before. The positions of this one bring it again.
            self._is_rebalanced = False
            self._seek(consumer)
            return
        self._take(consumer, received)
        if self._writer.is_ready():
            self._finish_landing(consumer)
        if self._is_due():
            self._begin_landing(consumer)

    def _take(self, consumer: Any, received: Sequence[Any]) -> None:
        for message in received:
            if (error := message.error()) is not None:
                self._trouble(consumer, message, error)
                if self._is_rebalanced:
                    # The positions bring again what comes after it.
                    return
                continue
            owned, offset, value = self._owned[message.partition()], message.offset(), message.value()
            if offset < owned.next_offset:
                name = self._name(message.partition())
                raise TopicChangedError(
                    f"{name} was created again: offset {offset} came after {owned.next_offset - 1}; start again"
                )
            owned.batch.offsets.append(offset)
            owned.batch.values.append(value)
            owned.next_offset, owned.is_at_end = offset + 1, False
            self._bytes += len(value or b"") + 1
        if self._since is None and self._bytes:
            self._since = time.monotonic()

    def _trouble(self, consumer: Any, message: Any, error: Any) -> None:
        module = kafka()
        is_owned, code = message.partition() in self._owned, error.code()
        if code == module.KafkaError._PARTITION_EOF:
            if is_owned:
                self._owned[message.partition()].is_at_end = True
        elif is_owned and code in (module.KafkaError._AUTO_OFFSET_RESET, module.KafkaError.OFFSET_OUT_OF_RANGE):
            # What came before it is landed first, so that the files say how far it was read.
            self._land(consumer)
            self._begin(consumer, [message.partition()])
            self._is_rebalanced = True
        else:
            self.on_error(error)

    def _assigned(self, consumer: Any, partitions: Sequence[Any]) -> None:
        self._is_rebalanced = self._is_assigned = True
        try:
            self._finish_landing(consumer)
            self._begin(consumer, [one.partition for one in partitions])
        except (StreamError, OSError) as error:
            self._failure = error
        # Nothing is read within this call, which began before the positions were known.
        consumer.assign([])
        say("assigned", f"reading {len(self._owned)} partitions of {self.topic}", partitions=sorted(self._owned))

    def _begin(self, consumer: Any, partitions: Sequence[int]) -> None:
        """Find where to go on in these partitions. Raises StreamError and OSError."""
        topic_id = self._topic_id()
        for partition in partitions:
            place = PartitionPlace(self.inbox, self.topic, partition)
            last = Landed(place).last_file()
            held, committed = self._asked(consumer, partition, topic_id)
            known = Known(None, None, committed) if last is None else Known(last.reach, last.head()["topic_id"], committed)
            begin = position(self._name(partition), known, held, resume_anyway=self._resume_anyway)
            if begin.notice is not None:
                warn("position", begin.notice, partition=partition)
            landing = PartitionLanding(place, topic_id, begin.epoch, self._is_known, lambda: dt.datetime.now(dt.timezone.utc))
            self._owned[partition] = Owned(landing, begin.offset)

    def _asked(self, consumer: Any, partition: int, topic_id: str | None) -> tuple[Held, int | None]:
        module = kafka()
        one = module.TopicPartition(self.topic, partition)
        try:
            low, high = consumer.get_watermark_offsets(one, ASK_SECONDS)
            committed = consumer.committed([one], ASK_SECONDS)[0].offset
        except module.KafkaException as error:
            raise StreamError(f"{self._name(partition)} cannot be read: {error.args[0].str()}: start again later") from error
        return Held(topic_id, low, high), committed if committed >= 0 else None

    def _seek(self, consumer: Any) -> None:
        module = kafka()
        consumer.assign([module.TopicPartition(self.topic, number, owned.next_offset) for number, owned in self._owned.items()])

    def _revoked(self, consumer: Any, partitions: Sequence[Any]) -> None:
        """Another consumer gets them: what is in hand is landed first."""
        self._is_rebalanced = True
        try:
            if self._failure is None:
                self._land(consumer)
        except (StreamError, OSError) as error:
            self._failure = error
        for one in partitions:
            self._owned.pop(one.partition, None)

    def _lost(self, consumer: Any, partitions: Sequence[Any]) -> None:
        """Another consumer may have them already, and reads behind what is landed."""
        del consumer
        self._is_rebalanced = True
        lost = [self._owned.pop(one.partition, None) for one in partitions]
        count = sum(len(owned.batch.offsets) for owned in lost if owned is not None)
        warn("lost", f"{len(partitions)} partitions were lost with {count} messages that are read again", messages=count)

    def _land(self, consumer: Any) -> None:
        """Land and commit all that is in hand. Raises StreamError; what could not be landed is not committed then."""
        self._begin_landing(consumer)
        self._finish_landing(consumer)

    def _begin_landing(self, consumer: Any) -> None:
        self._finish_landing(consumer)
        batches = {owned.landing: owned.batch for owned in self._owned.values() if owned.batch.offsets}
        for owned in self._owned.values():
            owned.batch = Batch()
        self._since, self._bytes = None, 0
        if batches:
            self._writer.begin(batches)

    def _finish_landing(self, consumer: Any) -> None:
        if offsets := self._writer.finish():
            self._commit(consumer, offsets)

    def _commit(self, consumer: Any, offsets: dict[int, int]) -> None:
        """The files decide where the next start goes on, so a commit that fails loses nothing."""
        module = kafka()
        wanted = [module.TopicPartition(self.topic, number, offset) for number, offset in offsets.items()]
        error = self._bounded.call(lambda: consumer.commit(offsets=wanted, asynchronous=False), COMMIT_SECONDS)
        if error is not None:
            warn("commit", f"offsets were not committed ({error}); the next start goes on behind the landed files")

    def _waiting(self) -> int:
        return sum(len(owned.batch.offsets) for owned in self._owned.values())

    def _is_due(self) -> bool:
        if self._since is None:
            return False
        is_old = time.monotonic() - self._since >= self.settings.kafka_batch_seconds
        return is_old or self._bytes >= MOST_BYTES or self._waiting() >= self.settings.kafka_batch_messages

    def _is_at_end(self) -> bool:
        return self._is_assigned and all(owned.is_at_end for owned in self._owned.values())

    def _name(self, partition: int) -> str:
        return f"partition {partition} of {self.topic}"

    def _notice(self, event: str, key: str, text: str) -> None:
        """Warn, but not again and again."""
        now = time.monotonic()
        if now - self._noticed.get(key, -NOTICE_SECONDS) >= NOTICE_SECONDS:
            self._noticed[key] = now
            warn(event, text)
