"""The command `report`: which listeners, which file, and what is said at the end. What draws is imported only when it runs."""

from __future__ import annotations

import argparse
import datetime as dt
import difflib
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.text import Text

from lakehouse.cli.console import plain, print_json
from lakehouse.cli.errors import UsageError
from lakehouse.declare import Table
from lakehouse.settings import Settings
from lakehouse.storage import delta
from report.listeners import Listener, listeners_of, most_played

MARK = b'<meta name="generator" content="listening-lakehouse report">'
HEAD_BYTES = 4096
NAMED = 3


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of `report`."""
    whose = parser.add_mutually_exclusive_group()
    whose.add_argument("--user", metavar="NAME", help="the listener (default: the one with the most plays, real ones first)")
    whose.add_argument(
        "--all", action="store_true", help="an overview of all listeners, with a report on each if all of them fit"
    )
    parser.add_argument("--out", metavar="FILE", default="report.html", help="file to write (default report.html here)")


def call(settings: Settings, tables: dict[str, Table], options: argparse.Namespace, console: Console) -> int:
    """Write the report. Raises UsageError for a listener or file that cannot be meant, OSError for one that cannot be written."""
    del tables
    found = listeners_of(settings.dir)
    if not found:
        if (
            delta.version(settings.dir / "silver" / "users") is None
            and delta.version(settings.dir / "silver" / "plays") is not None
        ):
            raise FileNotFoundError(f"silver.users is not built in {settings.dir}; `lakehouse run` without --only builds it")
        raise FileNotFoundError(
            f"there are no listeners in {settings.dir} yet; `lakehouse run` reads a history and builds the tables"
        )
    out = Path(options.out).expanduser().absolute()
    _check_target(out)
    from report import page

    made_at = dt.datetime.now(dt.timezone.utc)
    if options.all:
        content, inside = page.of_all(settings.dir, found, made_at)
    else:
        inside = [_chosen(found, options.user)]
        content = page.of_one(settings.dir, inside[0], made_at)
    _write(out, content)
    size = out.stat().st_size
    if options.json:
        print_json({"out": str(out), "bytes": size, "listeners": [one.name for one in inside], "listeners_in_all": len(found)})
    else:
        console.print(_told(found, inside, options))
        console.print(Text("report: ", style="bold") + plain(out, 1000) + Text(f" ({size / 1e6:.1f} MB); open it in a browser"))
    return 0


def _check_target(out: Path) -> None:
    if out.is_dir():
        raise UsageError(f"--out {out} is a folder; name a file")
    if out.exists():
        with out.open("rb") as file:
            if MARK not in file.read(HEAD_BYTES):
                raise UsageError(f"{out} exists and is not a report; choose another --out")


def _chosen(found: Sequence[Listener], name: str | None) -> Listener:
    if name is None:
        return most_played(found)
    for listener in found:
        if listener.name == name:
            return listener
    close = difflib.get_close_matches(name, [one.name for one in found], NAMED, 0.4)
    named = close or [one.name for one in sorted(found, key=lambda one: -one.plays)[:NAMED]]
    more = f" and {len(found) - len(named):,} more" if len(found) > len(named) else ""
    raise UsageError(
        f"there is no listener {plain(name).plain!r}; the listeners are {', '.join(plain(n, 60).plain for n in named)}{more}"
    )


def _told(found: Sequence[Listener], inside: Sequence[Listener], options: argparse.Namespace) -> Text:
    if options.all:
        rest = "each with a report" if len(inside) == len(found) else "overview only: --user NAME writes one report"
        return Text(f"{len(found):,} listeners, {rest}")
    one = inside[0]
    chosen = "" if options.user or len(found) == 1 else f", one of {len(found):,} listeners (--user or --all shows others)"
    kind = " (a synthetic listener)" if one.is_synthetic else ""
    return Text("listener ") + plain(one.name, 60) + Text(f"{kind}: {one.plays:,} plays{chosen}")


def _write(out: Path, content: str) -> None:
    """Write beside the target and rename, so that nobody opens half a page."""
    out.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{out.name}.", dir=out.parent)
    staging = Path(name)
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="\n") as file:
            file.write(content)
        staging.replace(out)
    finally:
        staging.unlink(missing_ok=True)
