"""How much, since when, how regular?"""

from __future__ import annotations

from report.reader import Reader
from report.section import Section, not_built

COLUMNS = ["plays", "listens", "hours", "unique_tracks", "unique_artists", "unique_albums", "first_played_at", "last_played_at"]
MORE = [
    *["longest_streak_days", "active_days", "minutes_per_active_day", "skip_rate", "skips_told"],
    *["sessions", "as_of", "known_listens"],
]


def section(reader: Reader) -> Section:
    """One row of gold.user_metrics."""
    table = "gold.user_metrics"
    rows = reader.rows(table, COLUMNS + MORE)
    missing = not_built(reader, [table]) or (
        None if rows else "There is no figure for this listener yet; run the pipeline again."
    )
    if missing:
        return Section("headline", "At a glance", missing=missing)
    figures = rows[0]
    span = (figures["as_of"].date() - figures["first_played_at"].date()).days
    return Section("headline", "At a glance", values={"figures": figures, "span_days": max(span, figures["active_days"])})
