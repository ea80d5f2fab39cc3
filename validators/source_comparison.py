"""Which plays do a live source and an export of the same time not have in common, and why?"""

from __future__ import annotations

from lakehouse.declare import column, ops_table, registered

SHORT, PRIVATE, OFFLINE, MISSING, DELETED = "short", "private", "offline", "missing", "deleted_at_source"

SOURCE_COMPARISON = registered(
    ops_table(
        "source_comparison",
        ["user_id", "play_id", "side"],
        "One row per play and side that lacks it, as the last `lakehouse compare-sources` found. The plays themselves stay.",
        [
            column("user_id", "string", "listener"),
            column("play_id", "string", "play, see silver.plays"),
            column("side", "string", "who lacks the play: export, or a live source such as spotify_api"),
            column("source", "string", "format of the record that has it"),
            column(
                "reason",
                "string",
                "why: short (under 30 s), private (a private session), offline, missing (none of these), or deleted_at_source"
                " (the source had it once and no longer tells of it)",
            ),
            column("played_at", "timestamp", "start, UTC"),
            column("track_name", "string", "as in silver.plays"),
            column("artist_name", "string", "as in silver.plays"),
            column("noticed_at", "timestamp", "when the source was found to lack it, for deleted_at_source, UTC"),
        ],
    )
)
