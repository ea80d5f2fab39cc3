"""How does each account of a live source fare: polled, waiting, refused, or without news for days?"""

from __future__ import annotations

from lakehouse.declare import column, ops_table, registered

POLL_STATE = registered(
    ops_table(
        "poll_state",
        ["source", "account_id"],
        "One row per account that was polled, as it was when the last run ended. No token and no key is in it.",
        [
            column("source", "string", "live source, such as spotify_api"),
            column("account_id", "string", "the account's id at the source"),
            column("user_id", "string", "listener whose plays the account tells"),
            column(
                "status",
                "string",
                "ok, waiting (until retry_at), refused (until a person does what remedy says), failing (polls do not go well),"
                " stale (for 3 days no poll, or no new play), new (not polled yet) or unreadable",
            ),
            column("reason", "string", "why it is not ok"),
            column("remedy", "string", "what a person can do"),
            column("polled_at", "timestamp", "last poll that went well, by the source's clock, UTC"),
            column("cursor", "timestamp", "newest play that was received, UTC"),
            column("retry_at", "timestamp", "the source asked not to be called before, UTC"),
            column("refused_since", "timestamp", "first refusal in a row, UTC"),
            column("consented_at", "timestamp", "when a person last let the product read the account, UTC"),
            column("consent_ends_at", "timestamp", "when that consent ends, UTC; null where it does not"),
        ],
    )
)
