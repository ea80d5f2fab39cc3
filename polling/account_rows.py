"""The accounts in an inbox as rows of ops.poll_state. No token and no key is in a state, nor in these."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from music.consent import consent_end
from music.envelopes import SPOTIFY_API
from polling.places import account_of
from polling.state import AccountState, StateError, read_state

# Sources stall for hours, and people hear nothing for a day or two: before this it is no news.
STALE = dt.timedelta(days=3)
Row = dict[str, Any]


class StateFile(NamedTuple):
    """A state file of the inbox, and the state in it; None for one that cannot be read."""

    path: Path
    state: AccountState | None


def state_files(inbox: Path) -> list[StateFile]:
    """The state of every account in the inbox, by source and account. Raises OSError."""
    return [StateFile(path, _read(path)) for path in sorted(inbox.glob("*/_*.json"))]


def _read(path: Path) -> AccountState | None:
    try:
        state = read_state(path)
    except StateError:
        return None
    # A copy of another account's state would count that account twice.
    return state if (state.source, state.account_id) == account_of(path) else None


def account_rows(files: list[StateFile], now: dt.datetime) -> list[Row]:
    """A row of ops.poll_state for each state file, as things are `now` (UTC)."""
    return [_unreadable(file.path) if file.state is None else _row(file.state, now) for file in files]


def states(files: list[StateFile]) -> Iterator[AccountState]:
    """The states that can be read."""
    return (file.state for file in files if file.state is not None)


def _unreadable(path: Path) -> Row:
    source, account_id = account_of(path)
    return {
        "source": source,
        "account_id": account_id,
        "status": "unreadable",
        "reason": "its state cannot be read",
        "remedy": f"remove {source}/{path.name} from the inbox, and the next poll makes it from the poll files",
    }


def _row(state: AccountState, now: dt.datetime) -> Row:
    status, reason, remedy = _status(state, now)
    consent = state.consent
    return {
        "source": state.source,
        "account_id": state.account_id,
        "user_id": state.listener,
        "status": status,
        "reason": reason,
        "remedy": remedy,
        "polled_at": state.polled_at,
        "cursor": state.cursor,
        "retry_at": state.retry_at,
        "refused_since": state.refusal and state.refusal.since,
        "consented_at": consent,
        "consent_ends_at": consent_end(consent) if consent is not None and state.source == SPOTIFY_API else None,
    }


def _status(state: AccountState, now: dt.datetime) -> tuple[str, str | None, str | None]:
    """Status, reason and remedy."""
    if state.refusal is not None:
        return "refused", state.refusal.reason, state.refusal.remedy
    if state.retry_at is not None and now < state.retry_at:
        return "waiting", state.retry_reason, None
    if state.failing_since is not None:
        return "failing", f"no poll goes well since {state.failing_since:%Y-%m-%d %H:%M} UTC: {state.failure}", None
    if state.polled_at is None:
        return "new", None, "`lakehouse poll` reads its plays"
    if now - state.polled_at > STALE:
        return "stale", f"no poll went well since {state.polled_at:%Y-%m-%d}", "run `lakehouse poll`, or start the scheduler"
    if state.cursor is not None and now - state.cursor > STALE:
        return (
            "stale",
            f"polls go well, but bring no play since {state.cursor:%Y-%m-%d}: nothing heard, or a stalled source",
            None,
        )
    return "ok", None, None
