"""The service's side of the process that looks at an upload."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import anyio

from lakehouse.settings import PROJECT_ROOT
from service.commands import module
from service.uploads.refusal import RefusedUploadError

ANSWER_BYTES = 8 * 2**20
START_SECONDS, WHOLE_SECONDS = 60.0, 180.0


class Look:
    """One process, asked twice."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    async def check_start(self, start: bytes, suffix: str, listener: str | None, *, is_admin: bool, max_bytes: int) -> None:
        """Raises RefusedUploadError for a start that no file to bring has."""
        question = {
            "listener": listener,
            "is_admin": is_admin,
            "suffix": suffix,
            "max_bytes": max_bytes,
            "start_bytes": len(start),
        }
        await self._asked(json.dumps(question).encode() + b"\n" + start, START_SECONDS)

    async def files(self, path: Path) -> list[dict[str, Any]]:
        """The files in an upload, as FoundFile has them; after `check_start`. Raises RefusedUploadError."""
        answer = await self._asked(json.dumps({"path": str(path)}).encode() + b"\n", WHOLE_SECONDS)
        files: list[dict[str, Any]] = answer["files"]
        return files

    async def _asked(self, question: bytes, seconds: float) -> dict[str, Any]:
        streams = self._process
        assert streams.stdin is not None and streams.stdout is not None  # noqa: S101
        try:
            with anyio.fail_after(seconds):
                streams.stdin.write(question)
                await streams.stdin.drain()
                line = await streams.stdout.readline()
            answer: dict[str, Any] = json.loads(line)
        except (TimeoutError, ValueError, ConnectionError) as error:
            reason = "What is in the file could not be found out. Ask the admin to put it into the landing folder."
            raise RefusedUploadError(422, reason) from error
        if "reason" in answer:
            raise RefusedUploadError(answer["status"], answer["reason"])
        return answer


@asynccontextmanager
async def looking(inbox: Path) -> AsyncIterator[Look]:
    """A process that looks at an upload; it is ended in any case."""
    # Archives within archives are unpacked there, beside the upload.
    folder = inbox / "_part"
    environment = {**os.environ, "PYTHONPATH": str(PROJECT_ROOT), **({"TMPDIR": str(folder)} if folder.is_dir() else {})}
    process = await asyncio.create_subprocess_exec(
        *module("service.uploads.look"),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        env=environment,
        limit=ANSWER_BYTES,
    )
    try:
        yield Look(process)
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()
