"""What was each year like?"""

from __future__ import annotations

from report.formats import MOODS
from report.reader import Reader
from report.section import Section, not_built

TITLE = "What was each year like?"
TABLE = "gold.year_in_music"
COLUMNS = [
    *["year", "plays", "listens", "minutes", "minutes_change", "active_days", "skip_rate", "skips_told"],
    *["unique_artists", "new_artists"],
    *["top_artist", "top_artist_listens", "top_track", "top_track_artist", "top_track_listens", "top_genre", "top_genre_listens"],
    *[
        "busiest_date",
        "busiest_date_minutes",
        "busiest_hour",
        "longest_streak_days",
        "top_mood",
        "top_mood_share",
        "measured_share",
    ],
]


def section(reader: Reader) -> Section:
    """A card a year, the newest first."""
    rows = reader.rows(TABLE, COLUMNS)
    if missing := not_built(reader, [TABLE]) or (None if rows else "There is no year with a play yet."):
        return Section("years", TITLE, missing=missing)
    most = max(r["minutes"] for r in rows)
    years = [
        r | {"mood": MOODS.get(r["top_mood"]), "of_most": r["minutes"] / most if most else 0}
        for r in sorted(rows, key=lambda r: -r["year"])
    ]
    return Section("years", TITLE, values={"years": years, "utc": reader.listener.utc})
