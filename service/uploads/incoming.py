"""An upload on its way to the disk: a part file that no run reads, counted, hashed, synced, and gone unless it is kept.

Part files lie in INBOX/_part, so that keeping one is a rename. One of a server that was killed is removed once nobody can be
writing it any more.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import secrets
import shutil
import time
from collections import deque
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from polling.files import FILE_MODE, make_folder
from service.uploads.refusal import RefusedUploadError

FOLDER = "_part"
START_BYTES = 64 * 1024
"""what sources see of a file: lakehouse.declare.SAMPLE_BYTES, whose module brings half of Arrow along"""
BLOCK_BYTES = 1024 * 1024
BLOCKS_WAITING = 16
"""written and hashed while the next ones come"""
# After so many, free space is looked at again, and the disk begins to write: at the end nobody waits long for it.
SYNC_BYTES = 64 * BLOCK_BYTES
FREE_BYTES = 512 * BLOCK_BYTES
"""left on the disk for everything else"""
DEAD_SECONDS = 3600.0
"""after its last write, an upload has ended"""


@dataclass(frozen=True)
class Arrived:
    """A whole upload, on disk."""

    path: Path
    size: int
    sha256: str


class Incoming:
    """A part file, to be used as an asynchronous context manager, at whose end it is removed unless it was renamed."""

    def __init__(self, inbox: Path, most_bytes: int) -> None:
        """`most_bytes`: of a file, which is refused when more of it come."""
        self.folder, self.most_bytes = inbox / FOLDER, most_bytes
        self.path = self.folder / f"{secrets.token_hex(16)}.part"
        self._digest, self._taken, self._written, self._synced = hashlib.sha256(), 0, 0, 0

    async def __aenter__(self) -> Incoming:
        await asyncio.to_thread(self._open)
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        # The blocks of a large file take a while to be given back.
        await asyncio.to_thread(self._remove)

    def _open(self) -> None:
        make_folder(self.folder)
        remove_dead(self.folder)
        self._handle = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, FILE_MODE)

    def _remove(self) -> None:
        os.close(self._handle)
        self.path.unlink(missing_ok=True)

    async def receive(self, chunks: AsyncIterator[bytes], announced: int | None, on_start: Callable[[bytes], None]) -> Arrived:
        """Write all chunks; `announced` is the size that the sender states, if it does.

        `on_start` gets the first START_BYTES, or all if there are fewer, as soon as they are there.

        Raises RefusedUploadError and OSError.
        """
        self._check_size(announced or 0)
        await asyncio.to_thread(self._check_disk, announced or 0)
        start, block, size, is_shown = bytearray(), list[bytes](), 0, False
        with Pipe(self._write, self._hash) as pipe:
            async for chunk in chunks:
                if not is_shown:
                    start += chunk[: START_BYTES - len(start)]
                    if len(start) == START_BYTES:
                        is_shown = True
                        on_start(bytes(start))
                block.append(chunk)
                size += len(chunk)
                self._check_size(size)
                if size - self._taken >= BLOCK_BYTES:
                    self._taken = size
                    await pipe.put(block)
                    block = []
            if not is_shown:
                on_start(bytes(start))
            await pipe.put(block)
            await pipe.end()
        await asyncio.to_thread(os.fsync, self._handle)
        return Arrived(self.path, size, self._digest.hexdigest())

    def _check_size(self, size: int) -> None:
        if size > self.most_bytes:
            limit = f"{self.most_bytes // 2**20:,} MiB (LAKEHOUSE_MAX_FILE_MB)"
            raise RefusedUploadError(413, f"The file is larger than {limit}. Split it, or raise the limit.")

    def _check_disk(self, coming: int) -> None:
        free = shutil.disk_usage(self.folder).free
        if free - coming < FREE_BYTES:
            needed = f"{(coming + FREE_BYTES) // 2**20:,} MiB are needed, and the disk has {free // 2**20:,} left"
            raise RefusedUploadError(507, f"{needed}. Make room, and send the file again.")

    def _write(self, block: list[bytes]) -> None:
        for chunk in block:
            rest = memoryview(chunk)
            while rest:
                rest = rest[os.write(self._handle, rest) :]
            self._written += len(chunk)
        if self._written - self._synced >= SYNC_BYTES:
            self._synced = self._written
            self._check_disk(0)
            if hasattr(os, "posix_fadvise"):
                # The disk begins to write, and nobody waits for it.
                os.posix_fadvise(self._handle, 0, self._written, os.POSIX_FADV_DONTNEED)

    def _hash(self, block: list[bytes]) -> None:
        for chunk in block:
            self._digest.update(chunk)


class Pipe:
    """Does several things with every block, each thing in a thread of its own and block by block, while the next ones come."""

    def __init__(self, *work: Callable[[list[bytes]], None]) -> None:
        self._work = [(ThreadPoolExecutor(1, "upload"), one) for one in work]
        self._waiting = deque[asyncio.Future[None]]()

    def __enter__(self) -> Pipe:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        for executor, _ in self._work:
            executor.shutdown(wait=False, cancel_futures=True)

    async def put(self, block: list[bytes]) -> None:
        """Raises what the work on an earlier block raised."""
        loop = asyncio.get_running_loop()
        self._waiting.extend(loop.run_in_executor(executor, work, block) for executor, work in self._work)
        while len(self._waiting) > BLOCKS_WAITING * len(self._work):
            await self._waiting.popleft()

    async def end(self) -> None:
        """Wait for all work. Raises what it raises."""
        while self._waiting:
            await self._waiting.popleft()


def remove_dead(folder: Path) -> None:
    """Remove the part files of uploads that broke off with their server."""
    for path in folder.glob("*.part"):
        # Another upload may have ended meanwhile.
        with suppress(FileNotFoundError):
            if time.time() - path.stat().st_mtime > DEAD_SECONDS:
                path.unlink()
