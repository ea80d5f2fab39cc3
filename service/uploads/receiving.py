"""The way of an upload: onto the disk, looked at while it comes and once it is whole, and then to where runs read it."""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from service.uploads.incoming import Incoming
from service.uploads.looking import Look, looking
from service.uploads.refusal import RefusedUploadError
from service.uploads.store import keep, suffix_of

ENDING = re.compile(r"\.[a-z0-9]{1,8}")


@dataclass(frozen=True)
class Terms:
    """Who brings a file, for whom, and how large it may be."""

    inbox: Path
    listener: str | None
    """None: for the house"""
    is_admin: bool
    most_bytes: int
    """of the file, and of each file in an archive"""


@dataclass(frozen=True)
class Received:
    """What came of an upload."""

    listener: str | None
    size: int
    is_new: bool
    """False: the same file was there already"""
    files: list[dict[str, Any]]
    """as FoundFile has them"""


async def received(terms: Terms, file_name: str, chunks: AsyncIterator[bytes], announced: int | None) -> Received:
    """Store an upload. Raises RefusedUploadError, and OSError; nothing that a run reads is there then."""
    async with Incoming(terms.inbox, terms.most_bytes) as incoming, looking(terms.inbox) as look:
        verdict: list[asyncio.Task[None]] = []

        def judge(start: bytes) -> None:
            verdict.append(asyncio.create_task(_judged(look, terms, file_name, start)))

        async def acceptable() -> AsyncIterator[bytes]:
            async for chunk in chunks:
                if verdict and verdict[0].done():
                    verdict[0].result()
                yield chunk

        try:
            arrived = await incoming.receive(acceptable(), announced, judge)
            await verdict[0]
        finally:
            for task in verdict:
                task.cancel()
            await asyncio.gather(*verdict, return_exceptions=True)
        files = await look.files(arrived.path)
        is_new = await asyncio.to_thread(keep, arrived, terms.inbox, terms.listener, suffix_of(file_name))
        return Received(terms.listener, arrived.size, is_new, files)


async def check_start(terms: Terms, file_name: str, start: bytes) -> None:
    """Raises RefusedUploadError for the beginning of a file that would be refused."""
    async with looking(terms.inbox) as look:
        await _judged(look, terms, file_name, start)


async def _judged(look: Look, terms: Terms, file_name: str, start: bytes) -> None:
    if not start and not file_name:
        raise RefusedUploadError(400, "No file came. Choose one, and send it again.")
    # Only for what is said of a file that its name promises to be another.
    ending = os.path.splitext(file_name)[1].lower()  # noqa: PTH122 - the name is no path here
    suffix = ending if ENDING.fullmatch(ending) else ""
    await look.check_start(start, suffix, terms.listener, is_admin=terms.is_admin, max_bytes=terms.most_bytes)
