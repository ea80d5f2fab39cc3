"""GET /healthz: whether the service can do its work. No data, and no reason: that is in the log."""

from __future__ import annotations

import os
from pathlib import Path

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from service.access_log import log
from service.disks import existing

READ, WRITE = os.R_OK | os.X_OK, os.R_OK | os.W_OK | os.X_OK


def healthz(request: Request) -> Response:
    """200 while the lakehouse can be read and what is received can be stored, else 503."""
    settings = request.app.state.settings
    wanted = ((settings.dir, READ), (settings.state_dir, WRITE), (settings.inbox_folder, WRITE))
    barred = [place for folder, mode in wanted if (place := _barred(folder, mode)) is not None]
    if not barred:
        return JSONResponse({"status": "ok"})
    log.error("not healthy: no access to %s", ", ".join(map(str, barred)))
    return JSONResponse({"status": "failing"}, 503)


def _barred(folder: Path, mode: int) -> Path | None:
    """The folder if it cannot be used so; of one that is not there yet, the one it would be made in."""
    there = existing(folder)
    return None if there.is_dir() and os.access(there, mode) else there


ROUTES: list[BaseRoute] = [Route("/healthz", healthz, methods=["GET"])]
