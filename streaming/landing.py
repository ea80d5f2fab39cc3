"""Landing: the messages of a partition become a file of the inbox, so that no two files hold the same message."""

from __future__ import annotations

import datetime as dt
import gzip
import json
from collections.abc import Callable
from dataclasses import dataclass

from music.stream_files import KAFKA_LISTENS, STREAM_FORMAT, STREAM_HEAD
from polling.envelope import MOST_EXPANDED
from polling.files import make_folder, write_file
from streaming.errors import LandingError
from streaming.landed import Landed, file_name
from streaming.messages import Batch, IsKnown, lines_of
from streaming.places import PartitionPlace

# Messages repeat their field names: the fastest level makes a tenth of them.
LEVEL = 1


@dataclass(frozen=True)
class Written:
    """What a landing did."""

    messages: int
    """in the file; fewer than were given where another consumer has landed some"""
    last: int
    """offset of the last message that is landed now"""
    refused: dict[str, int]
    """by reason"""


class PartitionLanding:
    """Lands the messages of one partition in one epoch of its offsets."""

    def __init__(
        self, place: PartitionPlace, topic_id: str | None, epoch: int, is_known: IsKnown, now: Callable[[], dt.datetime]
    ) -> None:
        self.place, self.topic_id, self.epoch = place, topic_id, epoch
        self._is_known, self._now = is_known, now
        self._landed = Landed(place)

    def land(self, batch: Batch) -> Written:
        """Write the messages, and return once they are on disk. Raises StreamError and OSError; nothing is landed then."""
        with self.place.locked():
            reach = self._landed.reach()
            if reach.epoch > self.epoch:
                raise LandingError(
                    f"another consumer has begun anew with partition {self.place.partition} of {self.place.topic}: start again"
                )
            if reach.epoch == self.epoch and reach.last >= batch.offsets[0]:
                # That one owned the partition meanwhile: this process was stopped, or cut off.
                batch = batch.after(reach.last)
            if not batch.offsets:
                return Written(0, reach.last, {})
            refused = self._write(batch)
        return Written(len(batch.offsets), batch.offsets[-1], refused)

    def _write(self, batch: Batch) -> dict[str, int]:
        """Returns how many messages are refused in it, by reason."""
        lines = lines_of(batch.values, self._is_known)
        folder = self.place.folder / f"{self._now():%Y-%m}"
        make_folder(folder)
        content = self._head(batch, lines.refused) + lines.body
        packed = gzip.compress(content, LEVEL, mtime=0)
        is_packed = len(packed) * MOST_EXPANDED > len(content)
        name = file_name(self.epoch, batch.offsets[0], batch.offsets[-1])
        try:
            write_file(folder / (f"{name}.gz" if is_packed else name), packed if is_packed else content, self.place.part)
        except OSError:
            # Where a disk is full, every byte counts.
            self.place.part.unlink(missing_ok=True)
            raise
        return lines.refused

    def _head(self, batch: Batch, refused: dict[str, int]) -> bytes:
        values = {
            "format": STREAM_FORMAT,
            "source": KAFKA_LISTENS,
            "topic": self.place.topic,
            "topic_id": self.topic_id,
            "partition": self.place.partition,
            "epoch": self.epoch,
            "first": batch.offsets[0],
            "last": batch.offsets[-1],
            "messages": len(batch.offsets),
            "offsets": None if batch.is_complete() else batch.offsets,
            "refused": refused,
        }
        return json.dumps({name: values[name] for name in STREAM_HEAD}).encode("ascii") + b"\n"
