"""The command `forget`."""

from __future__ import annotations

import argparse
import unicodedata
from collections import Counter
from dataclasses import asdict
from typing import TYPE_CHECKING

from rich.text import Text

from bi.process import StackError
from lakehouse.cli.console import plain, print_json
from lakehouse.cli.errors import FAILED, OK, UsageError, print_error
from lakehouse.plan import graph
from lakehouse.storage.lock import locked
from lakehouse.storage.tombstones import read_tombstones
from polling.answers import PollError
from upkeep.backup_store import BackupError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console

    from lakehouse.declare import Table
    from lakehouse.settings import Settings
    from upkeep.forget_files import Place

LIFTED = "is no longer forgotten: the next run brings back what landing files still hold"


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of `forget`."""
    parser.add_argument("user", metavar="USER", help="the listener, as user_id in silver.users")
    parser.add_argument("--landing", metavar="DIR", help="landing folder (default: that of the last run)")
    parser.add_argument("--dry-run", action="store_true", help="list what would be removed and what would stay; change nothing")
    parser.add_argument("--lift", action="store_true", help="let the listener's rows in again")


def call(settings: Settings, _: dict[str, Table], options: argparse.Namespace, console: Console) -> int:
    """Forget a listener, or lift that; returns the exit code. Raises UsageError for one of whom nothing is known, LockedError."""
    user_id = unicodedata.normalize("NFC", options.user)
    try:
        with locked(settings.dir):
            if options.lift:
                return _lift(settings, user_id, options, console)
            return _forget(settings, user_id, options, console)
    except (PollError, StackError, BackupError) as error:
        print_error(f"{error}; what was not reached is removed by another `lakehouse forget`")
        return FAILED


def _lift(settings: Settings, user_id: str, options: argparse.Namespace, console: Console) -> int:
    from upkeep.forget import let_in_again

    if not read_tombstones(settings.state_dir).hold(user_id):
        raise UsageError(f"{user_id!r} is not forgotten")
    if not options.dry_run:
        let_in_again(settings, user_id)
    if options.json:
        print_json({"listener": user_id, "is_dry_run": options.dry_run, "lifted": not options.dry_run})
    else:
        console.print(Text("would be lifted: " if options.dry_run else "") + plain(user_id) + Text(f" {LIFTED}"))
    return OK


def _forget(settings: Settings, user_id: str, options: argparse.Namespace, console: Console) -> int:
    from upkeep import forget

    found = forget.find(settings, graph.load(), user_id)
    was_forgotten = read_tombstones(settings.state_dir).hold(user_id)
    if found.is_nothing and not was_forgotten:
        raise UsageError(f"nothing is known of a listener {user_id!r}; `lakehouse show silver.users` lists those there are")
    if options.dry_run:
        places = [*found.places(), *forget.uncleaned_backups(settings)]
    else:
        with console.status("forgetting", spinner="line") as status:
            places = forget.forget(found, lambda step: status.update(f"forgetting: {step}"))
    if options.json:
        document = {"listener": user_id, "is_dry_run": options.dry_run, "places": [asdict(place) for place in places]}
        print_json(document)
    else:
        _show(console, user_id, places, is_dry_run=options.dry_run)
    return FAILED if any(place.is_failure for place in places) else OK


def _show(console: Console, user_id: str, places: Sequence[Place], *, is_dry_run: bool) -> None:
    gone = [place for place in places if not place.is_left]
    counts = Counter(place.kind for place in gone)
    for place in gone:
        console.print(Text(f"{place.kind:<8} ") + plain(place.where, 200) + Text("  ") + plain(place.what, 200))
    left = [place for place in places if place.is_left]
    if left:
        console.print(Text("\nLeft:", style="bold yellow"))
    for place in left:
        console.print(Text(f"{place.kind:<8} ") + plain(place.where, 200) + Text("  ") + plain(place.what, 300))
    total = ", ".join(f"{number:,} {kind}{'s' if number != 1 else ''}" for kind, number in sorted(counts.items())) or "nothing"
    if is_dry_run:
        console.print(Text(f"\nwould remove of {user_id!r}: {total}; nothing was changed", style="bold"))
        return
    console.print(Text(f"\nforgotten: {user_id!r}: {total}", style="bold"))
    console.print("`lakehouse run` brings the other tables up to date and trains the models again.", style="dim")
    console.print("Reports and exports that were saved, and logs that other programs keep, are not known here.", style="dim")
