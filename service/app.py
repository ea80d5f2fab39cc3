"""The service as an application: all pages and interfaces, behind what every request has to pass."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from types import ModuleType

from anyio import CapacityLimiter
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.routing import BaseRoute, Mount
from starlette.staticfiles import StaticFiles

from service import health, metrics
from service.access_log import AccessLog
from service.api import routes as api
from service.consents import Consents
from service.corrections import Corrections, Suggestions
from service.errors import http_error, server_error
from service.headers import AnswerHeaders
from service.links import Links
from service.pages import connect, corrections, history, home, login, players, report
from service.people import People
from service.polls import Polls
from service.rendering import STATIC
from service.reports import Reports
from service.runs import Runs
from service.security import KnownHosts, Limits, LogIn
from service.sessions import Sessions
from service.settings import ServiceSettings
from service.snapshots import Snapshots
from service.submissions import routes as submissions

# Each has ROUTES; a page of the menu has MENU, and one that takes large requests BODY_LIMITS, bytes by prefix of the path
# (None: it counts by itself).
MODULES: tuple[ModuleType, ...] = (
    *(home, history, connect, players, corrections, report, login),
    *(submissions, api, health, metrics),
)


@asynccontextmanager
async def _running(app: Starlette) -> AsyncIterator[None]:
    """Looks after the runs that the service starts, which outlive it, and closes the journals of players when it stops."""
    app.state.reports.clean()
    watching = asyncio.create_task(app.state.runs.watch())
    yield
    watching.cancel()
    await submissions.close_door(app)


def create_app(settings: ServiceSettings) -> Starlette:
    """The application over these settings; handlers find them, and what is shared, in `request.app.state`."""
    routes: list[BaseRoute] = [Mount("/static", StaticFiles(directory=STATIC))]
    limits: dict[str, int | None] = {}
    for module in MODULES:
        routes += module.ROUTES
        limits |= getattr(module, "BODY_LIMITS", {})
    app = Starlette(
        routes=routes,
        lifespan=_running,
        middleware=[
            Middleware(AccessLog),
            Middleware(AnswerHeaders),
            Middleware(KnownHosts, names=settings.allowed_names),
            Middleware(Limits, limits=limits),
            Middleware(LogIn),
        ],
        exception_handlers={HTTPException: http_error, Exception: server_error},
    )
    app.router.redirect_slashes = False
    app.state.settings = settings
    app.state.runs, app.state.snapshots = Runs(settings), Snapshots(settings)
    app.state.reports, app.state.uploads = Reports(settings), history.Uploads()
    app.state.suggestions, app.state.corrections = Suggestions(settings), Corrections(settings)
    app.state.consents, app.state.polls = Consents(), Polls(settings, app.state.runs)
    app.state.password_limiter = CapacityLimiter(1)
    app.state.menu = [link for module in MODULES for link in getattr(module, "MENU", ())]
    app.state.people, app.state.links = People(settings.state_dir), Links(settings.state_dir)
    app.state.sessions = Sessions(settings.state_dir)
    return app
