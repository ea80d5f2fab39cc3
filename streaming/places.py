"""Where the messages of a partition lie in the inbox: INBOX/kafka_listens/TOPIC/PARTITION/YYYY-MM/EPOCH-FIRST-LAST.jsonl.gz."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock, Timeout

from music.stream_files import KAFKA_LISTENS
from polling.files import FILE_MODE, make_folder
from streaming.errors import LandingError

# A topic's name may begin with what hides a folder from runs.
PREFIX = "topic-"
FOLDER = re.compile(rf"{PREFIX}(?P<topic>[A-Za-z0-9._-]+)")
LOCK_SECONDS = 8


@dataclass(frozen=True)
class PartitionPlace:
    """The folder of a partition; beside it, what runs pass over as its name begins with _."""

    inbox: Path
    topic: str
    partition: int

    @property
    def topic_folder(self) -> Path:
        """The folders of all partitions of the topic."""
        return self.inbox / KAFKA_LISTENS / f"{PREFIX}{self.topic}"

    @property
    def folder(self) -> Path:
        """Stream files, in a folder a month."""
        return self.topic_folder / str(self.partition)

    @property
    def lock(self) -> Path:
        """Held while a file is written, so that of two consumers that both believe to own the partition only one goes on."""
        return self.topic_folder / f"_{self.partition}.lock"

    @property
    def part(self) -> Path:
        """The file that is being written."""
        return self.topic_folder / f"_{self.partition}.part"

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the partition's lock. Raises LandingError where another process keeps it, and OSError."""
        make_folder(self.topic_folder)
        try:
            with FileLock(self.lock, timeout=LOCK_SECONDS, mode=FILE_MODE):
                yield
        except Timeout as error:
            raise LandingError(
                f"another process has held {self.lock} for {LOCK_SECONDS} s: end it, or start again later"
            ) from error


def partitions_in(inbox: Path) -> list[PartitionPlace]:
    """The partitions that have a folder."""
    found = []
    for folder in sorted((inbox / KAFKA_LISTENS).glob(f"{PREFIX}*/*")):
        match = FOLDER.fullmatch(folder.parent.name)
        if match is not None and folder.name.isascii() and folder.name.isdecimal() and folder.is_dir():
            found.append(PartitionPlace(inbox, match["topic"], int(folder.name)))
    return found
