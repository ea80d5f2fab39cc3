"""In which intervals may polls have missed plays, and which of these did an export cover since?"""

from __future__ import annotations

from lakehouse.declare import column, ops_table, registered

GAPS = registered(
    ops_table(
        "gaps",
        ["source", "account_id", "gap_from"],
        "One row per interval in which a live source may have told of plays that no poll received; closed ones stay.",
        [
            column("source", "string", "live source, such as spotify_api"),
            column("account_id", "string", "the account's id at the source"),
            column("gap_from", "timestamp", "time of the last play that was known before, UTC"),
            column("user_id", "string", "listener whose plays the account tells"),
            column("gap_to", "timestamp", "time of the oldest play of the poll that found the gap, UTC"),
            column("found_at", "timestamp", "when it was polled, by the source's clock, UTC"),
            column("is_open", "boolean", "nothing covers the interval yet"),
            column("closed_at", "timestamp", "start of the run that found it covered, UTC"),
            column("closed_by", "string", "what covers it: a file of the landing folder, or another reading of the source"),
        ],
    )
)
