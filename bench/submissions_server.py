"""The two servers of bench/submissions.py: `door FOLDER PORT`, or `bare FOLDER PORT`, which only writes and syncs bodies."""

from __future__ import annotations

import asyncio
import os
import socket
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from service.access_log import start_log
from service.app import create_app
from service.server import configuration
from service.settings import ServiceSettings


class Bare:
    """Appends bodies to one file; requests that wait at the same time share an fsync."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        self._thread = ThreadPoolExecutor(1)
        self._waiting: list[tuple[bytes, asyncio.Future[None]]] = []
        self._task: asyncio.Task[None] | None = None

    async def submit(self, request: Request) -> Response:
        """Acknowledge a body once it is on disk."""
        body = await request.body()
        loop = asyncio.get_running_loop()
        done: asyncio.Future[None] = loop.create_future()
        self._waiting.append((body, done))
        if self._task is None:
            self._task = loop.create_task(self._write())
        await done
        return JSONResponse({"status": "ok"})

    async def _write(self) -> None:
        while self._waiting:
            group, self._waiting = self._waiting, []
            await asyncio.get_running_loop().run_in_executor(self._thread, self._append, b"".join(body for body, _ in group))
            for _, done in group:
                done.set_result(None)
        self._task = None

    def _append(self, content: bytes) -> None:
        os.write(self._handle, content)
        os.fsync(self._handle)


def main(kind: str, folder: Path, port: int) -> None:
    """Serve until killed, both by the service's own server."""
    if kind == "bare":
        app = Starlette(routes=[Route("/1/submit-listens", Bare(folder / "bodies").submit, methods=["POST"])])
    else:
        start_log()
        app = create_app(ServiceSettings(landing=folder / "landing", dir=folder / "lakehouse", state_dir=folder / "state"))
    bound = socket.socket()
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    bound.bind(("127.0.0.1", port))
    uvicorn.Server(configuration(app)).run(sockets=[bound])


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]))
