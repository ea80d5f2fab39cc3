"""Tokens of connected accounts, and how their polls fare."""

from __future__ import annotations

import json
from collections.abc import Iterator

from music.consent import command_for
from music.envelopes import SPOTIFY_API
from polling.account_rows import account_rows, state_files
from polling.announcement import NEWS
from polling.tokens import TokenStore, consent_notice
from upkeep.checks.finding import Finding, SetUp, command

# Of the web service: who may log in, and with what.
OTHER_STATE = ("people.json", "api_tokens.json", "scheduler.json")


def tokens(set_up: SetUp) -> Iterator[Finding]:
    """Tokens that cannot be read, whose consent ends within a month, or that the source refuses; other state that is damaged."""
    state = set_up.settings.state_dir
    store = TokenStore(state, SPOTIFY_API)
    for account_id, problem in store.unreadable().items():
        remedy = f"remove it, then `{command('lakehouse', 'connect', 'spotify')}`"
        yield Finding("tokens", f"the token of account {account_id} cannot be read", str(problem).split(" cannot be")[0], remedy)
    for token in store.accounts():
        if (notice := consent_notice(token, set_up.now)) is not None:
            where = str(store.path(token.account_id))
            yield Finding("tokens", notice, where, command_for(token.source, token.listener))
    for name in OTHER_STATE:
        try:
            json.loads((state / name).read_bytes())
        except FileNotFoundError:
            continue
        except ValueError as error:
            remedy = "restore it from a backup, or remove it and set up anew what it held"
            yield Finding("tokens", f"{name} cannot be read: {error}", str(state / name), remedy)


def polls(set_up: SetUp) -> Iterator[Finding]:
    """Accounts that are refused, fail, bring nothing new, or whose state cannot be read."""
    inbox = set_up.settings.inbox_folder
    if not inbox.is_dir():
        return
    files = state_files(inbox)
    for file, row in zip(files, account_rows(files, set_up.now), strict=True):
        if row["status"] in NEWS:
            what = f"account {row['account_id']} of {row['source']} is {row['status']}: {row['reason']}"
            yield Finding("polls", what, str(file.path), row.get("remedy") or command("lakehouse", "poll"))
