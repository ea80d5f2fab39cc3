"""May plays be missing, and what has the listener to do so that none will be?"""

from __future__ import annotations

import pyarrow.dataset as ds

from music.consent import ending_notice
from report.reader import Reader, Row
from report.section import Section

TITLE = "Is anything missing from this history?"
SOURCES = {"spotify_api": "Spotify", "lastfm_api": "Last.fm", "listenbrainz_api": "ListenBrainz"}
PROBLEMS = ["refused", "failing", "stale", "unreadable"]
SHOWN = 10


def section(reader: Reader) -> Section | None:
    """Open gaps, accounts that bring nothing, and consents that end; None where there is nothing of these to tell."""
    gaps = reader.rows("ops.gaps", ["source", "gap_from", "gap_to"], ds.field("is_open"))
    gaps.sort(key=lambda row: row["gap_from"], reverse=True)
    accounts = reader.rows("ops.poll_state", ["source", "status", "reason", "remedy", "consent_ends_at"])
    notices = [notice for row in sorted(accounts, key=lambda row: str(row["source"])) for notice in _notices(reader, row)]
    if not gaps and not notices:
        return None
    listed = [{"source": _name(gap), "from": gap["gap_from"], "to": gap["gap_to"]} for gap in gaps[:SHOWN]]
    return Section("live", TITLE, values={"gaps": listed, "more": len(gaps) - len(listed), "notices": notices})


def _notices(reader: Reader, row: Row) -> list[str]:
    """What is to be said of an account."""
    notices = []
    if row["status"] in PROBLEMS:
        remedy = f"; {row['remedy']}" if row["remedy"] else ""
        notices.append(f"{_name(row)}: {row['status']}: {row['reason']}{remedy}")
    ends = row["consent_ends_at"]
    notice = None if ends is None else ending_notice(row["source"], reader.listener.name, ends, reader.made_at)
    return notices if notice is None else [*notices, f"{_name(row)}: {notice}"]


def _name(row: Row) -> str:
    return SOURCES.get(row["source"], str(row["source"]))
