"""The start page: who is in the lakehouse, until when, what is running, what went wrong, and where to go on."""

from __future__ import annotations

import datetime as dt
from typing import Any
from urllib.parse import urlsplit

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from scheduling.state import StateError, load
from service.people import People, Person
from service.problems import own, problems_for, source_name
from service.rendering import Link, page, person_of
from service.runs import Runs
from service.security import checked_form
from service.settings import LOOPBACK_NAMES
from service.snapshots import Snapshots
from service.submissions import now_playing

MENU = (Link("/", "Home"),)
BUSY_SECONDS, IDLE_SECONDS = 2, 30
# A poll that is due is begun within seconds by a scheduler that runs.
OVERDUE = dt.timedelta(minutes=3)
NO_SCHEDULER = (
    "Nothing polls: the scheduler is not running. `python scheduler.py` starts it; in Docker Compose it runs by itself."
)


async def home(request: Request) -> Response:
    """How the lakehouse is, for the one who asks."""
    return page(request, "home.html", title="Home", **await _values(request))


async def live(request: Request) -> Response:
    """The part of the page that changes, for its script."""
    return page(request, "home_live.html", **await _values(request))


async def start_run(request: Request) -> Response:
    """Start a run, or have one follow that which is running."""
    await checked_form(request)
    request.app.state.runs.start()
    return RedirectResponse("/", 303)


async def _values(request: Request) -> dict[str, Any]:
    person = person_of(request)
    snapshots: Snapshots = request.app.state.snapshots
    runs: Runs = request.app.state.runs
    snapshot, is_current = await snapshots.current()
    progress = await run_in_threadpool(runs.progress)
    is_busy = progress is not None or runs.is_running or not is_current
    return {
        "snapshot": snapshot,
        "snapshot_problem": snapshots.problem if person.is_admin or snapshot is None else None,
        "listeners": _listeners(person, snapshot),
        "playing": _playing(request, person),
        "progress": progress,
        "is_starting": progress is None and runs.is_running,
        "is_following": progress is not None and runs.is_wanted,
        "last_run": next((run for run in snapshot["runs"] if run["finished_at"]), None) if snapshot else None,
        "problems": problems_for(person, snapshot, runs.last, is_idle=is_current and not is_busy),
        "gaps": [{**gap, "source": source_name(gap["source"])} for gap in own(person, snapshot["gaps"])] if snapshot else [],
        "accounts": [{**one, "source": source_name(one["source"])} for one in own(person, snapshot["accounts"])]
        if snapshot
        else [],
        "next_poll": await run_in_threadpool(_next_poll, request),
        "dashboards": _dashboards(request, snapshot),
        "refresh": BUSY_SECONDS if is_busy else IDLE_SECONDS,
    }


def _of_sources(person: Person, snapshot: dict[str, Any] | None, name: str) -> list[dict[str, Any]]:
    rows = own(person, snapshot[name]) if snapshot else []
    return [{**row, "source": source_name(row["source"])} for row in rows]


def _listeners(person: Person, snapshot: dict[str, Any] | None) -> list[dict[str, Any]]:
    """Own figures; those of everybody for an admin, oneself first."""
    rows = [dict(row) for row in own(person, snapshot["listeners"])] if snapshot else []
    return sorted(rows, key=lambda row: (row["user_id"] != person.user_id, -(row["kept"] or 0), row["user_id"]))


def _playing(request: Request, person: Person) -> list[dict[str, Any]]:
    """What one hears now, as a player tells; what everybody hears for an admin."""
    people: People = request.app.state.people
    names = [one.user_id for one in people.all()] if person.is_admin else [person.user_id]
    return [{**track, "user_id": name} for name in names if (track := now_playing.current(name)) is not None]


def _next_poll(request: Request) -> str:
    """When accounts are polled next, or why they are not."""
    try:
        due = load(request.app.state.settings.state_dir).poll_at
    except StateError as error:
        return str(error)
    now = dt.datetime.now(dt.timezone.utc)
    if due is None or due < now - OVERDUE:
        return NO_SCHEDULER
    return "now" if due <= now else f"{due:%Y-%m-%d %H:%M} UTC"


def _dashboards(request: Request, snapshot: dict[str, Any] | None) -> dict[str, Any] | None:
    """Where the dashboards are, and whether the browser's machine can reach them; None where they were never started."""
    found = snapshot["dashboards"] if snapshot else None
    if found is None:
        return None
    is_local = urlsplit(found["url"]).hostname in (*LOOPBACK_NAMES, "::1")
    is_here = f"[{request.url.hostname}]" in LOOPBACK_NAMES or request.url.hostname in LOOPBACK_NAMES
    return {**found, "is_reachable": is_here or not is_local}


ROUTES = [
    Route("/", home, methods=["GET"]),
    Route("/live", live, methods=["GET"]),
    Route("/run", start_run, methods=["POST"]),
]
