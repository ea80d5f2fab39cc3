"""What the metrics say of tables and tokens, for a snapshot: read by its process, never by the service itself."""

from __future__ import annotations

from collections import Counter
from typing import Any

from service.settings import ServiceSettings

FINISHED = ("succeeded", "failed", "killed")
DISPOSITIONS = ("kept", "duplicate", "quarantined", "set_aside")


def metric_facts(settings: ServiceSettings) -> dict[str, Any]:
    """Counts and times without anybody's name. Raises what reading the tables raises."""
    import pyarrow.dataset as ds

    from lakehouse.storage import delta
    from lakehouse.storage.ledger import Ledger
    from music.envelopes import SPOTIFY_API
    from polling.tokens import TokenStore

    runs = Ledger(settings.dir).runs()
    over = [run for run in runs if run["status"] in FINISHED]
    plays = Counter[tuple[str, str]]()
    for row in delta.read_rows(settings.dir / "ops" / "reconciliation", ["source", *DISPOSITIONS]):
        plays.update({(row["source"] or "unknown", name): row[name] for name in DISPOSITIONS})
    broken = Counter({"fail": 0, "warn": 0})
    if over:
        of_run = (ds.field("run_id") == over[0]["run_id"]) & (ds.field("status") != "PASS")
        rules = delta.read_rows(settings.dir / "ops" / "qa_validation_results", ["status"], of_run)
        broken.update(row["status"].lower() for row in rules)
    return {
        "runs": Counter(run["status"] for run in runs),
        "last_run": {name: over[0][name] for name in ("started_at", "finished_at", "status")} if over else None,
        "last_success": max((run["finished_at"] for run in over if run["status"] == "succeeded"), default=None),
        "plays": [(source, name, number) for (source, name), number in sorted(plays.items())],
        "broken_rules": broken,
        "consents": [
            {"ends": token.consent_ends, "is_refused": token.refused_at is not None}
            for token in TokenStore(settings.state_dir, SPOTIFY_API).accounts()
        ],
    }
