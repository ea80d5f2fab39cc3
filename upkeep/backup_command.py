"""The command `backup`."""

from __future__ import annotations

import argparse
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn
from rich.text import Text

from lakehouse.cli.console import near, print_json
from lakehouse.cli.errors import FAILED, OK, UsageError, print_error
from lakehouse.cli.options import positive
from lakehouse.storage.lock import locked

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from rich.console import Console

    from lakehouse.declare import Table
    from lakehouse.settings import Settings


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of `backup`."""
    parser.add_argument("folder", metavar="DIR", type=_folder, help="folder of the backups, on another disk if possible")
    parser.add_argument("--landing", metavar="DIR", help="landing folder (default: that of the last run)")
    parser.add_argument(
        "--keep", metavar="N", type=positive, help="remove all but the newest N backups afterwards (default: keep all)"
    )
    parser.add_argument(
        "--with-secrets", action="store_true", help="also tokens, people and keys, encrypted; needs --passphrase-file"
    )
    add_passphrase(parser)
    parser.add_argument("--verify", action="store_true", help="take none; read every backup in DIR, and name what is damaged")
    parser.add_argument("--dry-run", action="store_true", help="say what would be copied; write nothing")


def add_passphrase(parser: argparse.ArgumentParser) -> None:
    """Where the passphrase of the secrets is: never on the command line, which other users can read."""
    parser.add_argument("--passphrase-file", metavar="FILE", type=Path, help="private file with the passphrase of the secrets")


def call(settings: Settings, _: dict[str, Table], options: argparse.Namespace, console: Console) -> int:
    """Take a backup, or verify those there are; returns the exit code. Raises UsageError, LockedError and OSError."""
    from upkeep.backup_store import BackupError

    if options.with_secrets != (options.passphrase_file is not None):
        raise UsageError("--with-secrets and --passphrase-file FILE go together")
    try:
        if options.verify:
            return _verify(options, console)
        if options.dry_run:
            return _plan(settings, options, console)
        return _back_up(settings, options, console)
    except BackupError as error:
        print_error(str(error))
        return FAILED


def _back_up(settings: Settings, options: argparse.Namespace, console: Console) -> int:
    from upkeep.backup import back_up, plan
    from upkeep.backup_secrets import read_passphrase

    passphrase = read_passphrase(options.passphrase_file) if options.with_secrets else None
    with locked(settings.dir), shown(console, "copying", plan(settings, options.folder).new_bytes) as told:
        taken = back_up(settings, options.folder, keep=options.keep, passphrase=passphrase, told=told)
    if options.json:
        print_json(asdict(taken))
        return OK
    console.print(Text(f"backup {taken.backup_id} of run {taken.run_id} in {near(options.folder)}", style="bold"))
    console.print(
        Text(f"{taken.files:,} files, {megabytes(taken.bytes)}; new: {taken.new_files:,}, {megabytes(taken.new_bytes)}")
    )
    secrets = (
        f"{taken.secrets:,} secrets, encrypted" if options.with_secrets else "no secrets: connect accounts again after a restore"
    )
    console.print(Text(secrets, style="dim"))
    if taken.removed:
        console.print(Text(f"removed, as {options.keep:,} are kept: {', '.join(taken.removed)}", style="dim"))
    return OK


def _plan(settings: Settings, options: argparse.Namespace, console: Console) -> int:
    from upkeep.backup import plan

    planned = plan(settings, options.folder)
    if options.json:
        print_json(asdict(planned) | {"is_dry_run": True})
    else:
        new = f"{planned.new_files:,} files, {megabytes(planned.new_bytes)}"
        console.print(
            Text(f"would back up run {planned.run_id}: {planned.files:,} files, {megabytes(planned.bytes)}; to copy: {new}")
        )
    return OK


def _verify(options: argparse.Namespace, console: Console) -> int:
    from upkeep.backup_store import BackupError, Store

    store, faults = Store(options.folder), list[str]()
    store.check()
    for backup_id in (ids := store.ids()):
        try:
            manifest = store.manifest(backup_id)
        except BackupError as error:
            faults.append(str(error))
            continue
        with shown(console, f"reading {backup_id}", manifest.bytes) as told:
            faults += store.damage(manifest, told)
    if options.json:
        print_json({"backups": ids, "damage": faults})
    elif not faults:
        console.print(Text(f"{len(ids):,} backups, each as it was written"))
    if faults and not options.json:
        print_error(*faults)
    return FAILED if faults else OK


@contextmanager
def shown(console: Console, what: str, total: int) -> Iterator[Callable[[int], None]]:
    """A progress bar of bytes on a terminal; gives what is to be told of each part that is done."""
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task(what, total=total)
        yield lambda size: progress.advance(task, size)


def megabytes(size: int) -> str:
    """Bytes as people read them."""
    return f"{size / 1e6:,.1f} MB"


def _folder(text: str) -> Path:
    return Path(text).expanduser().absolute()
