"""Landing in a thread of its own, so that the next messages are read while a batch is written."""

from __future__ import annotations

import time
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

from streaming.errors import LandingError
from streaming.landing import PartitionLanding
from streaming.log import say, warn
from streaming.messages import Batch

Batches = Mapping[PartitionLanding, Batch]


class Writer:
    """Lands the batches of all partitions, one call at a time."""

    def __init__(self, inbox: Path) -> None:
        self.messages = 0
        """landed so far"""
        self._inbox = inbox
        self._thread = ThreadPoolExecutor(1, "landing")
        self._pending: Future[dict[int, int]] | None = None

    def begin(self, batches: Batches) -> None:
        """Begin to land; `finish` has to be called before the next time."""
        if self._pending is not None:
            raise RuntimeError("the batches before have not been finished")
        self._pending = self._thread.submit(self._land, batches)

    def is_ready(self) -> bool:
        """Whether `finish` would return at once, with something to commit or an error."""
        return self._pending is not None and self._pending.done()

    def finish(self) -> dict[int, int]:
        """Wait until all is landed; returns the next offset by partition. Raises StreamError; nothing may be committed then."""
        if self._pending is None:
            return {}
        pending, self._pending = self._pending, None
        return pending.result()

    def close(self) -> None:
        """Wait for the thread to end."""
        self._thread.shutdown(wait=True)

    def _land(self, batches: Batches) -> dict[int, int]:
        offsets = {}
        for landing, batch in batches.items():
            began, last = time.monotonic(), batch.offsets[-1]
            try:
                written = landing.land(batch)
            except OSError as error:
                reason = error.strerror or str(error)
                raise LandingError(
                    f"the inbox {self._inbox} cannot be written ({reason}): nothing was committed; make room, and start again"
                ) from error
            name = f"partition {landing.place.partition} of {landing.place.topic}"
            if written.messages < len(batch.offsets):
                warn("overtaken", f"{name}: another consumer has landed messages up to {written.last}")
            values = {"partition": landing.place.partition, "first": batch.offsets[0], "last": last, "messages": written.messages}
            seconds = round(time.monotonic() - began, 3)
            say("landed", f"{name}: {written.messages} messages", **values, refused=written.refused, seconds=seconds)
            if written.refused:
                shown = ", ".join(f"{number} {reason}" for reason, number in written.refused.items())
                warn("refused", f"{name}: {shown}; `lakehouse stream --refused` lists them", refused=written.refused)
            self.messages += written.messages
            offsets[landing.place.partition] = max(written.last, last) + 1
        return offsets
