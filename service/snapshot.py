"""What the start page shows of the tables and accounts, read by a process of its own: `python -m service.snapshot`.

Reading Delta tables takes 80 MB and two seconds for the imports alone, which the service does not want to hold.
"""

from __future__ import annotations

import datetime as dt
import json
import socket
import sys
from functools import cache
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from service.metric_facts import metric_facts
from service.settings import ServiceSettings

if TYPE_CHECKING:
    from bi.settings import BISettings

PROBLEMS = ("failed", "refused", "blocked", "not built")
RUNS_SHOWN, PROBLEMS_SHOWN = 5, 50
RUN_FIELDS = ("run_id", "started_at", "finished_at", "status", "exit_code", "built", "failed", "new_files", "new_rows")
USER_FIELDS = ("user_id", "kept", "first_played_at", "last_played_at", "is_synthetic")
CONNECT_SECONDS = 1.0


def key(settings: ServiceSettings) -> str:
    """A text that changes when a snapshot would: a run began or ended, an account was polled, the dashboards came or went."""
    bi = _stack()
    places = [
        *sorted((settings.dir / "ops" / "pipeline_runs" / "_delta_log").glob("*.json"))[-1:],
        *sorted(settings.inbox_folder.glob("*/_*.json")),
        settings.inbox_folder,
        bi.credentials,
        bi.dir / "run",
    ]
    return repr([(str(place), place.stat().st_mtime_ns) for place in places if place.exists()])


def snapshot(settings: ServiceSettings, now: dt.datetime) -> dict[str, Any]:
    """Listeners, runs, problems, accounts and gaps. Raises what reading the tables raises."""
    from lakehouse.storage import delta
    from lakehouse.storage.ledger import Ledger
    from polling.announcement import status

    ledger = Ledger(settings.dir)
    runs = ledger.runs()[:RUNS_SHOWN]
    ended = next((run for run in runs if run["finished_at"] is not None), None)
    builds = ledger.builds(ended["run_id"]) if ended is not None else []
    files = [file for file in ledger.files() if file.is_present and file.status in ("broken", "unknown")]
    said = status(settings).data
    return {
        "made_at": now,
        "listeners": delta.read_rows(settings.dir / "silver" / "users", list(USER_FIELDS)),
        "runs": [{name: run[name] for name in RUN_FIELDS} for run in runs],
        "tables": [
            {name: build[name] for name in ("table_name", "status", "error")} for build in builds if build["status"] in PROBLEMS
        ][:PROBLEMS_SHOWN],
        "files": [{"path": file.path, "listener": file.listener, "status": file.status, "reason": file.reason} for file in files][
            :PROBLEMS_SHOWN
        ],
        "held": [{"table_name": one.table_name, "user_id": one.user_id, "rule": one.rule} for one in ledger.held()],
        "accounts": said["accounts"],
        "gaps": said["gaps"],
        "dashboards": _dashboards(),
        "metrics": metric_facts(settings),
    }


@cache
def _stack() -> BISettings:
    from bi.settings import BISettings

    return BISettings()


def _dashboards() -> dict[str, Any] | None:
    """Where the dashboards are and whether they answer; None where they were never started."""
    from bi.secrets import credentials

    url = credentials(_stack()).get("SUPERSET_URL")
    if url is None:
        return None
    parts = urlsplit(url)
    try:
        socket.create_connection((parts.hostname or "", parts.port or 80), CONNECT_SECONDS).close()
    except OSError:
        return {"url": url, "is_up": False}
    return {"url": url, "is_up": True}


def _json(value: object) -> str:
    return value.isoformat() if isinstance(value, dt.datetime) else str(value)


def main() -> int:
    """Print the snapshot as one JSON document."""
    json.dump(snapshot(ServiceSettings(), dt.datetime.now(dt.timezone.utc)), sys.stdout, default=_json)
    return 0


if __name__ == "__main__":
    sys.exit(main())
