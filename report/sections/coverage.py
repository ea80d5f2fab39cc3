"""Where do the audio features come from?"""

from __future__ import annotations

from report.formats import FEATURE_SOURCES
from report.reader import Reader
from report.section import Section, not_built

TITLE = "Where do the audio features come from?"
TABLE = "gold.feature_source_coverage"


def section(reader: Reader) -> Section:
    """Listens per rung of the feature ladder, the surest first."""
    rows = reader.rows(TABLE, ["feature_source", "listen_count", "measured"])
    if missing := not_built(reader, [TABLE]) or (None if rows else "There is no play yet."):
        return Section("coverage", TITLE, missing=missing)
    total = sum(r["listen_count"] for r in rows)
    if not total:
        return Section("coverage", TITLE, missing="There is no listen (a play of 30 s or more) yet.")
    order = list(FEATURE_SOURCES)
    rungs = [
        {"name": FEATURE_SOURCES[r["feature_source"]], "listens": r["listen_count"], "share": r["listen_count"] / total, **r}
        for r in sorted(rows, key=lambda r: order.index(r["feature_source"]))
    ]
    measured = sum(r["listen_count"] for r in rows if r["measured"])
    text = "Every statement about mood or sound rests on these. Measured and estimated features are used; made-up ones never are."
    return Section("coverage", TITLE, text, {"rungs": rungs, "total": total, "measured": measured})
