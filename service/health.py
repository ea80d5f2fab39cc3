"""GET /healthz: whether the service can do its work. No data, and no reason: that is in the log."""

from __future__ import annotations

import logging
import os
from pathlib import Path

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from lakehouse.storage.lakehouse import Lakehouse, NewerLakehouseError
from service.disks import existing

_logger = logging.getLogger("service")


def healthz(request: Request) -> Response:
    """200 while the lakehouse can be read and what is received can be stored, else 503."""
    settings = request.app.state.settings
    problem = _problem(settings.dir, [settings.state_dir, settings.inbox_folder])
    if problem is None:
        return JSONResponse({"status": "ok"})
    _logger.error("not healthy: %s", problem)
    return JSONResponse({"status": "failing"}, 503)


def _problem(lakehouse: Path, written: list[Path]) -> str | None:
    try:
        Lakehouse(lakehouse).check_format()
    except (NewerLakehouseError, OSError) as error:
        return str(error)
    for folder in written:
        # One that is not there yet is made in the first one above it that is.
        there = existing(folder)
        if not os.access(there, os.R_OK | os.W_OK | os.X_OK):
            return f"{there} cannot be written"
    return None


ROUTES: list[BaseRoute] = [Route("/healthz", healthz, methods=["GET"])]
