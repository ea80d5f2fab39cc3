"""The command `poll`."""

from __future__ import annotations

import argparse
import datetime as dt
import json
import sys
from dataclasses import asdict
from typing import Any

from polling.accounts import AccountSettings, connected_accounts
from polling.answers import PollError
from polling.metadata import fetch_metadata
from polling.poll import Outcome, exit_code, poll

FAILED, USAGE = 1, 2
NO_ACCOUNTS = "no account is connected: run `lakehouse connect spotify`, or set LASTFM_USERS or LISTENBRAINZ_USERS"


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of `poll`."""
    parser.add_argument("--landing", metavar="DIR", help="landing folder, for the inbox in it (default: data/landing)")
    parser.add_argument("--user", metavar="NAME", help="only the accounts of this listener")
    parser.add_argument("--again", action="store_true", help="also try accounts that were refused less than a day ago")
    parser.add_argument("--json", action="store_true", help="print one JSON document instead of text")


def call(_: Any, options: argparse.Namespace) -> int:
    """Poll the accounts, and say what came of each. Raises pydantic.ValidationError and SettingsError."""
    settings = AccountSettings(**({} if options.landing is None else {"landing": options.landing}))
    if settings.inbox is None and "landing" in settings.model_fields_set and not settings.landing.is_dir():
        return _fail(f"the landing folder {settings.landing} does not exist", USAGE)
    try:
        every = connected_accounts(settings)
    except PollError as error:
        return _fail(str(error), FAILED)
    accounts = [account for account in every if options.user in (None, account.listener)]
    if not accounts:
        return _fail(NO_ACCOUNTS if not every else f"no account of {options.user} is connected", USAGE)
    now = dt.datetime.now(dt.timezone.utc)
    outcomes = poll(accounts, settings.inbox_folder, now, again=options.again)
    if not options.json:
        for outcome in outcomes:
            (sys.stdout if outcome.status in ("polled", "waiting") else sys.stderr).write(f"{_printable(told(outcome))}\n")
        sys.stdout.flush()
    metadata = fetch_metadata(settings, accounts, outcomes, now)
    if options.json:
        document = {"accounts": [asdict(outcome) for outcome in outcomes], "metadata": metadata}
        sys.stdout.write(json.dumps(document, default=str, indent=2) + "\n")
    else:
        sys.stdout.writelines(f"{_printable(line)}\n" for line in metadata)
    return exit_code(outcomes)


def _printable(line: str) -> str:
    # Names and reasons come from outside, and a terminal obeys control characters.
    return "".join(character if character.isprintable() else " " for character in line)


def told(outcome: Outcome) -> str:
    """One line on an account."""
    account = f"{outcome.source} {outcome.account_id} ({outcome.listener})"
    plays = f"{outcome.new_plays} new play{'' if outcome.new_plays == 1 else 's'}"
    if outcome.status == "polled":
        gaps = [f"from {gap.start:%Y-%m-%d %H:%M} to {gap.end:%Y-%m-%d %H:%M} UTC" for gap in outcome.gaps]
        missed = f"; plays may be missing {' and '.join(gaps)}: an export would bring them" if gaps else ""
        return f"{account}: {plays}{missed}"
    if outcome.status == "waiting":
        brought = f"{plays}; " if outcome.new_plays else ""
        return f"{account}: {brought}the source asks to wait until {outcome.retry_at:%Y-%m-%d %H:%M} UTC: {outcome.reason}"
    remedy = f"; {outcome.remedy}, then `lakehouse poll --again`" if outcome.remedy else ""
    return f"error: {account}: {outcome.status}: {outcome.reason}{remedy}"


def _fail(message: str, code: int) -> int:
    sys.stderr.write(f"error: {message}\n")
    return code
