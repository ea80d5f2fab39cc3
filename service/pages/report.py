"""The report on a listener, under the policy that it declares for itself and in a sandbox: a document apart from the service."""

from __future__ import annotations

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from service.access_log import log
from service.rendering import Link, person_of, plain, shown_listener
from service.reports import ReportError, Reports, policy_of
from service.snapshots import CHILD_SECONDS

MENU = (Link("/report", "Report"),)


async def report(request: Request) -> Response:
    """One's own report; an admin may name another listener."""
    listener, person = shown_listener(request), person_of(request)
    snapshot, _ = await request.app.state.snapshots.current(CHILD_SECONDS)
    if snapshot is not None and not any(row["user_id"] == listener and row["kept"] for row in snapshot["listeners"]):
        raise HTTPException(
            404, f"There are no plays of {plain(listener, 60)} yet. Bring a history, or connect an account first."
        )
    reports: Reports = request.app.state.reports
    try:
        content = await reports.of(listener)
        policy = policy_of(content)
    except ReportError as error:
        log.error("the report could not be made: %s", error, extra={"event": "report"})
        why = f": {plain(error, 300)}" if person.is_admin else ""
        raise HTTPException(503, f"The report could not be made{why}. Try again when no run is going on.") from error
    return HTMLResponse(content, headers={"content-security-policy": policy})


ROUTES = [Route("/report", report, methods=["GET"])]
