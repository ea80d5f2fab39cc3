"""The command `poll`."""

from __future__ import annotations

import argparse
import datetime as dt
import sys
from dataclasses import asdict
from typing import Any, TextIO

from lakehouse.cli.console import Terminal, forget, print_json
from lakehouse.cli.here import typed
from polling.accounts import AccountSettings, connected_accounts
from polling.backfill import Wanted, backfill
from polling.backfill_shown import Shown
from polling.metadata import fetch_metadata
from polling.metadata_shown import MetadataShown
from polling.poll import exit_code, poll
from polling.progress import FIRST_MONTH, Progress, start_of
from polling.visit import Outcome

USAGE = 2
NO_ACCOUNTS = "no account is connected: run `lakehouse connect spotify`, or set LASTFM_USERS or LISTENBRAINZ_USERS"


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of `poll`."""
    parser.add_argument("--landing", metavar="DIR", help="landing folder, for the inbox in it (default: data/landing)")
    parser.add_argument("--lakehouse", metavar="DIR", help="lakehouse that tells what was heard (default: data/lakehouse)")
    parser.add_argument("--user", metavar="NAME", help="only the accounts of this listener")
    parser.add_argument(
        "--backfill",
        action="store_true",
        help="read the plays from before the first poll (Last.fm, ListenBrainz); may be broken off",
    )
    parser.add_argument(
        "--since", metavar="YYYY-MM", type=_month, help="with --backfill: the oldest month to read (default: all)"
    )
    parser.add_argument(
        "--again",
        action="store_true",
        help="also try accounts that were refused less than a day ago; with --backfill: compare what was read with the source",
    )
    parser.add_argument("--json", action="store_true", help="print one JSON document instead of text")


def call(_: Any, options: argparse.Namespace) -> int:
    """Poll the accounts, and say what came of each. Raises pydantic.ValidationError and SettingsError."""
    if options.since is not None and not options.backfill:
        return _fail("--since says how far back to read: it needs --backfill", USAGE)
    places = {"landing": options.landing, "dir": options.lakehouse}
    settings = AccountSettings(**{name: place for name, place in places.items() if place is not None})
    if settings.inbox is None and "landing" in settings.model_fields_set and not settings.landing.is_dir():
        return _fail(f"the landing folder {settings.landing} does not exist", USAGE)
    every = connected_accounts(settings)
    accounts = [account for account in every if options.user in (None, account.listener)]
    if not accounts:
        return _fail(NO_ACCOUNTS if not every else f"no account of {options.user} is connected", USAGE)
    now = dt.datetime.now(dt.timezone.utc)
    if options.backfill:
        wanted = Wanted(options.since or FIRST_MONTH, options.again)
        with Shown(Terminal(stderr=True)) as shown:
            outcomes = backfill(accounts, settings.inbox_folder, now, wanted, shown)
    else:
        outcomes = poll(accounts, settings.inbox_folder, now, again=options.again)
    if not options.json:
        for outcome in outcomes:
            is_well = outcome.status in ("polled", "waiting", "no backfill")
            _say(f"{typed(_printable(told(outcome)))}\n", sys.stdout if is_well else sys.stderr)
    metadata: list[str] = []
    if not options.backfill:
        with MetadataShown(Terminal(stderr=True)) as shown_metadata:
            metadata = fetch_metadata(settings, accounts, outcomes, now, shown_metadata.fetched)
    if options.json:
        document = {"accounts": [asdict(outcome) for outcome in outcomes], "metadata": metadata}
        print_json(document)
    else:
        _say("".join(f"{typed(_printable(line))}\n" for line in metadata), sys.stdout)
    return exit_code(outcomes)


def _say(text: str, stream: TextIO) -> None:
    """Write at once. What was polled is kept even if nobody reads on."""
    try:
        stream.write(text)
        stream.flush()
    except BrokenPipeError:
        forget(stream)


def _printable(line: str) -> str:
    # Names and reasons come from outside, and a terminal obeys control characters.
    return "".join(character if character.isprintable() else " " for character in line)


def told(outcome: Outcome) -> str:
    """One line on an account."""
    account = f"{outcome.source} {outcome.account_id} ({outcome.listener})"
    if outcome.status == "no backfill":
        return f"{account}: no backfill: {outcome.reason}"
    plays = f"{outcome.new_plays:,} new play{'' if outcome.new_plays == 1 else 's'}"
    if outcome.vanished:
        plays += f", {outcome.vanished:,} no longer at the source"
    if outcome.progress is not None:
        plays += f", {_how_far(outcome.progress, is_comparison=outcome.is_comparison)}"
    if outcome.status == "polled":
        gaps = [f"from {gap.start:%Y-%m-%d %H:%M} to {gap.end:%Y-%m-%d %H:%M} UTC" for gap in outcome.gaps]
        missed = f"; plays may be missing {' and '.join(gaps)}: an export would bring them" if gaps else ""
        return f"{account}: {plays}{missed}"
    brought = f"{plays}; " if outcome.new_plays or outcome.progress is not None else ""
    if outcome.status == "waiting":
        return f"{account}: {brought}the source asks to wait until {outcome.retry_at:%Y-%m-%d %H:%M} UTC: {outcome.reason}"
    remedy = f"; {outcome.remedy}, then `lakehouse poll --again`" if outcome.remedy else ""
    return f"error: {account}: {outcome.status}: {outcome.reason}{remedy}"


def _how_far(progress: Progress, *, is_comparison: bool) -> str:
    """How far back a walk has come, in words."""
    if not progress.is_complete:
        done = "compared so far" if is_comparison else f"{progress.plays:,} so far"
        return f"{done}; {progress.month} is next"
    if is_comparison:
        return "compared with the source"
    oldest = min(progress.months, default=None)
    return f"complete with {progress.plays:,} play{'' if progress.plays == 1 else 's'}" + (f" back to {oldest}" if oldest else "")


def _month(text: str) -> str:
    """A month like 2019-04. Raises argparse.ArgumentTypeError."""
    try:
        start_of(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a month like 2019-04") from None
    return text


def _fail(message: str, code: int) -> int:
    sys.stderr.write(typed(f"error: {message}\n"))
    return code
